//! The origins under which clients reach this host.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::http::Uri;

/// An origin as clients sign it: scheme, host and port, such as `https://chat.example` or
/// `http://127.0.0.1:8080`. It is lowercase, without a path, and without the scheme's default port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

/// The origins of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins(Vec<Origin>);

/// The text is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidOrigin;

/// An IPv6 address as the URL standard writes it: the shortest form, in hexadecimal digits only.
/// The standard library writes the end of some addresses as IPv4.
struct Ipv6Literal(Ipv6Addr);

/// The host listens on an unspecified address, such as `0.0.0.0`, and no origin is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnspecifiedAddress(SocketAddr);

impl Origin {
    /// The origin's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The origin of an address.
    fn of(address: IpAddr, port: u16) -> Self {
        match address {
            IpAddr::V4(address) => Self::http(address, port),
            IpAddr::V6(address) => Self::http(Ipv6Literal(address), port),
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
    /// The configured origins. If there are none: the address that the host listens on, also as
    /// IPv4 if it is IPv4-mapped, and `localhost` with the same port.
    ///
    /// # Errors
    /// [`UnspecifiedAddress`] if `listening` is unspecified and no origin is configured: no
    /// client connects to `0.0.0.0`.
    pub fn known(configured: Vec<Origin>, listening: SocketAddr) -> Result<Self, UnspecifiedAddress> {
        if !configured.is_empty() {
            return Ok(Self(configured));
        }
        let (address, port) = (listening.ip(), listening.port());
        let plain = address.to_canonical();
        if plain.is_unspecified() {
            return Err(UnspecifiedAddress(listening));
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
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let uri: Uri = text.to_ascii_lowercase().parse().map_err(|_| InvalidOrigin)?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(InvalidOrigin);
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(InvalidOrigin);
        }
        let host = match authority.host().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(address) => Ipv6Literal(address.parse().map_err(|_| InvalidOrigin)?).to_string(),
            None => authority.host().to_owned(),
        };
        let after_host = authority.as_str().strip_prefix(authority.host()).ok_or(InvalidOrigin)?;
        let port = after_host.strip_prefix(':').map(|port| port.parse::<u16>().map_err(|_| InvalidOrigin));
        match (scheme, port.transpose()?) {
            _ if host.is_empty() => Err(InvalidOrigin),
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

impl fmt::Display for Ipv6Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.to_ipv4_mapped(), self.0.segments()) {
            (Some(_), [.., high, low]) => write!(f, "[::ffff:{high:x}:{low:x}]"),
            (None, _) => write!(f, "[{}]", self.0),
        }
    }
}

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an origin, such as https://chat.example or http://10.0.0.5:8080")
    }
}

impl std::error::Error for InvalidOrigin {}

impl fmt::Display for UnspecifiedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "clients cannot connect to {}, and sign the origin that they connect to; configure it with --origin, \
             such as --origin https://chat.example",
            self.0
        )
    }
}

impl std::error::Error for UnspecifiedAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(origins: &Origins) -> Vec<&str> {
        origins.iter().map(Origin::as_str).collect()
    }

    #[test]
    fn an_origin_is_normalized_to_the_form_that_clients_sign() {
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
    fn a_text_that_is_not_an_origin_is_refused() {
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
            assert_eq!(text.parse::<Origin>(), Err(InvalidOrigin), "{text}");
        }
    }

    #[test]
    fn without_configured_origins_the_host_has_its_address_and_localhost() {
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
    fn a_host_with_configured_origins_has_no_others() {
        let named: Vec<Origin> = vec!["https://chat.example".parse().unwrap()];
        for address in ["127.0.0.1:8080", "0.0.0.0:8080"] {
            let origins = Origins::known(named.clone(), address.parse().unwrap()).unwrap();
            assert_eq!(texts(&origins), ["https://chat.example"]);
        }
    }
}
