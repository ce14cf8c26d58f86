//! Checks the `Origin` header of a WebSocket upgrade.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::Origins;

/// Whether a request may open a WebSocket, according to its `Origin` header. Browsers let any page
/// open a WebSocket to any server, and send the user's cookies with the request. Only this check
/// stops a foreign page from using the user's cookies.
pub(super) fn is_allowed(origins: &Origins, headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = sent.next() else { return true };
    // Browsers send one `Origin`. A request with two is refused.
    let (Some(origin), None) = (text(origin), sent.next()) else { return false };
    match origins {
        Origins::List(allowed) => allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)),
        Origins::SameHost => {
            let host = headers.get(header::HOST).and_then(text);
            // An origin is `scheme://host[:port]`; `null` has no host and never matches.
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some_and(|authority| host.is_some_and(|host| authority.eq_ignore_ascii_case(host)))
        }
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origins: &Origins, sent: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("chat.example:8080"));
        for origin in sent {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        is_allowed(origins, &headers)
    }

    #[test]
    fn by_default_the_host_and_port_must_be_the_same() {
        let origins = Origins::SameHost;
        assert!(allowed(&origins, &[]));
        assert!(allowed(&origins, &["http://chat.example:8080"]));
        assert!(allowed(&origins, &["https://Chat.Example:8080"]));
        for foreign in [
            "https://chat.example",
            "https://chat.example:8081",
            "https://evil.example",
            "https://chat.example:8080.evil.example",
            "https://chat.example:8080/",
            "null",
            "",
            "chat.example:8080",
        ] {
            assert!(!allowed(&origins, &[foreign]), "{foreign}");
        }
        assert!(!allowed(&origins, &["http://chat.example:8080", "https://evil.example"]));
    }

    #[test]
    fn a_list_allows_the_origins_in_it_and_no_others() {
        let origins = Origins::List(vec!["https://web.example".to_owned()]);
        assert!(allowed(&origins, &["https://web.example"]));
        assert!(allowed(&origins, &[]));
        for foreign in ["http://web.example", "https://web.example.evil", "http://chat.example:8080", "null"]
        {
            assert!(!allowed(&origins, &[foreign]), "{foreign}");
        }
    }
}
