//! The origins under which clients reach this host.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::http::Uri;

/// Scheme, host and port, as a client writes them into what it signs: `https://chat.example`,
/// `http://127.0.0.1:8080`. Lowercase, without a path, and without the port that the scheme
/// implies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

/// The origins that a host knows for its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins(Vec<Origin>);

/// A text that is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoOrigin;

/// An IPv6 address as clients sign it: the shortest form, all of it in hexadecimal digits, as the
/// URL standard has it. The standard library writes the last part of some as IPv4.
struct Literal(Ipv6Addr);

/// The host listens on every address of its machine, and was not told which one clients dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unnamed(SocketAddr);

impl Origin {
    /// The origin's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The origin of an address that clients dial.
    fn of(address: IpAddr, port: u16) -> Self {
        match address {
            IpAddr::V4(address) => Self::http(address, port),
            IpAddr::V6(address) => Self::http(Literal(address), port),
        }
    }

    fn http(host: impl fmt::Display, port: u16) -> Self {
        match port {
            80 => Self(format!("http://{host}")),
            _ => Self(format!("http://{host}:{port}")),
        }
    }
}

impl Origins {
    /// The origins that are named, or, if none is, those of the address: itself, as IPv4 if it is
    /// an IPv6 form of that, and `localhost` with its port.
    ///
    /// # Errors
    /// [`Unnamed`] for an unspecified address without a named origin: no client dials `0.0.0.0`.
    pub fn known(named: Vec<Origin>, listening: SocketAddr) -> Result<Self, Unnamed> {
        if !named.is_empty() {
            return Ok(Self(named));
        }
        let (address, port) = (listening.ip(), listening.port());
        let plain = address.to_canonical();
        if plain.is_unspecified() {
            return Err(Unnamed(listening));
        }
        let mut own = vec![Origin::of(address, port), Origin::http("localhost", port)];
        if plain != address {
            own.push(Origin::of(plain, port));
        }
        Ok(Self(own))
    }

    /// The origins.
    pub fn iter(&self) -> impl Iterator<Item = &Origin> {
        self.0.iter()
    }
}

impl FromStr for Origin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        let uri: Uri = text.to_ascii_lowercase().parse().map_err(|_| NoOrigin)?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(NoOrigin);
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(NoOrigin);
        }
        let host = match authority.host().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(address) => Literal(address.parse().map_err(|_| NoOrigin)?).to_string(),
            None => authority.host().to_owned(),
        };
        let after_host = authority.as_str().strip_prefix(authority.host()).ok_or(NoOrigin)?;
        let port = after_host.strip_prefix(':').map(|port| port.parse::<u16>().map_err(|_| NoOrigin));
        match (scheme, port.transpose()?) {
            _ if host.is_empty() => Err(NoOrigin),
            ("http", Some(80)) | ("https", Some(443)) | (_, None) => Ok(Self(format!("{scheme}://{host}"))),
            (_, Some(port)) => Ok(Self(format!("{scheme}://{host}:{port}"))),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.to_ipv4_mapped(), self.0.segments()) {
            (Some(_), [.., high, low]) => write!(f, "[::ffff:{high:x}:{low:x}]"),
            (None, _) => write!(f, "[{}]", self.0),
        }
    }
}

impl fmt::Display for NoOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an origin, such as https://chat.example or http://10.0.0.5:8080")
    }
}

impl std::error::Error for NoOrigin {}

impl fmt::Display for Unnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is no address that a client dials, and clients sign the one they dialled; name it with --origin, for \
             instance --origin https://chat.example",
            self.0
        )
    }
}

impl std::error::Error for Unnamed {}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(origins: &Origins) -> Vec<&str> {
        origins.iter().map(Origin::as_str).collect()
    }

    #[test]
    fn an_origin_is_brought_to_the_form_that_clients_sign() {
        for (text, expected) in [
            ("https://chat.example", "https://chat.example"),
            ("HTTPS://Chat.Example:443/", "https://chat.example"),
            ("http://chat.example:80", "http://chat.example"),
            ("http://chat.example:443", "http://chat.example:443"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[0:0::1]:8080", "http://[::1]:8080"),
            ("http://[::FFFF:127.0.0.1]:8080", "http://[::ffff:7f00:1]:8080"),
            ("http://[::ffff:0:1]", "http://[::ffff:0:1]"),
            ("http://[64:ff9b::1.2.3.4]", "http://[64:ff9b::102:304]"),
        ] {
            assert_eq!(
                text.parse::<Origin>().map(|origin| origin.to_string()).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_no_client_signs_is_no_origin() {
        for text in [
            "",
            "chat.example",
            "ftp://chat.example",
            "http://",
            "http:///",
            "http://:80",
            "http://a/path",
            "http://a?b",
            "http://user@a",
            "http://a:port",
            "http://a:99999",
            "http://[::1",
            "http://ä",
            "null",
            "http://a b",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(NoOrigin), "{text}");
        }
    }

    #[test]
    fn without_a_name_a_host_is_known_by_its_address_and_as_localhost() {
        let known = |address: &str| Origins::known(vec![], address.parse().unwrap());
        let origins = known("127.0.0.1:8080").unwrap();
        assert_eq!(texts(&origins), ["http://127.0.0.1:8080", "http://localhost:8080"]);
        assert_eq!(texts(&known("[::1]:80").unwrap()), ["http://[::1]", "http://localhost"]);
        assert_eq!(
            texts(&known("[::ffff:127.0.0.1]:8080").unwrap()),
            ["http://[::ffff:7f00:1]:8080", "http://localhost:8080", "http://127.0.0.1:8080"]
        );
        for address in ["0.0.0.0:8080", "[::]:8080", "[::ffff:0.0.0.0]:8080"] {
            assert!(known(address).unwrap_err().to_string().contains("--origin"), "{address}");
        }
    }

    #[test]
    fn a_host_that_was_given_a_name_goes_by_that_alone() {
        let named: Vec<Origin> = vec!["https://chat.example".parse().unwrap()];
        for address in ["127.0.0.1:8080", "0.0.0.0:8080"] {
            let origins = Origins::known(named.clone(), address.parse().unwrap()).unwrap();
            assert_eq!(texts(&origins), ["https://chat.example"]);
        }
    }
}
