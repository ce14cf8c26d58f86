//! Access tokens: 32 random bytes that mean nothing by themselves, kept hashed.

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// A token, as its owner holds it. `Debug` does not show it.
pub struct Token([u8; 32]);

/// What the host keeps of a token. A token has 256 random bits, so one plain hash is as good as a slow one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl Token {
    /// A new token.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Takes the text form, 64 lowercase hexadecimal digits; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }

    /// The text form: fit for a header and for a query.
    #[must_use]
    pub fn reveal(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// What to keep of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl TokenHash {
    /// The hash's bytes, for the table.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash from a row of the table.
    #[must_use]
    pub const fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_form_and_stays_out_of_logs() {
        let token = Token::random().unwrap();
        let text = token.reveal();
        assert_eq!(Token::parse(&text).unwrap().hash(), token.hash());
        assert!(!format!("{token:?}{:?}", token.hash()).contains(&text[..8]));
    }

    #[test]
    fn only_64_lowercase_digits_are_a_token() {
        for text in ["", "none", &"a".repeat(63), &"a".repeat(66), &"A".repeat(64), &"é".repeat(32)] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
    }
}
