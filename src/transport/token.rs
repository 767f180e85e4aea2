//! The secret of direct ingestion.

use alloc::string::String;
use core::fmt;

/// A token for direct ingestion, sent as `Authorization: Bearer …` and shown nowhere: `Debug` and `Display` say only
/// that there is one.
///
/// ```
/// use wavefront_sdk::transport::Token;
/// let token = Token::new(" 01234567-89ab-cdef-0123-456789abcdef\n")?;
/// assert_eq!(token.expose().len(), 36);
/// assert_eq!(format!("{token} {token:?}"), "[token] Token([token])");
/// # Ok::<(), wavefront_sdk::transport::InvalidToken>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token; white space around it, such as the line end of a file, is cut off.
    ///
    /// # Errors
    /// [`InvalidToken`] for one that is empty or cannot stand in an HTTP header (RFC 9110, 11.6.2).
    pub fn new(text: &str) -> Result<Self, InvalidToken> {
        let text = text.trim_ascii();
        if text.is_empty() {
            return Err(InvalidToken::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidToken::Character);
        }
        Ok(Self(text.into()))
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([token])")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token]")
    }
}

impl core::str::FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        Self::new(text)
    }
}

/// Why something is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidToken {
    /// Nothing, or white space only.
    Empty,
    /// White space inside, a control character, or one beyond ASCII.
    Character,
}

impl InvalidToken {
    /// What is wrong with it, and what to do.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Empty => "the token is empty: leave it out, or give the one from the Wavefront user interface",
            Self::Character => "the token has a character that cannot be in one: only visible ASCII, no spaces inside",
        }
    }
}

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for InvalidToken {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_what_a_header_takes() {
        assert_eq!(Token::new(" \t\n"), Err(InvalidToken::Empty));
        for bad in ["a b", "a\nb", "a\u{7f}b", "schl\u{fc}ssel"] {
            assert_eq!(Token::new(bad), Err(InvalidToken::Character), "{bad:?}");
        }
        assert_eq!(Token::new("a-b_c.d~e+f/g=\r\n").as_ref().map(Token::expose), Ok("a-b_c.d~e+f/g="));
    }
}
