//! Who has a token for the next request.

use core::fmt;
use core::time::Duration;
use std::boxed::Box;
use std::sync::Arc;

use crate::transport::Token;

/// Says which token requests are made with: asked before each of them, told of those that the receiver refuses.
///
/// Several threads ask at a time. Where there is no token at present, `token` may wait for one, but not for long: the
/// batch that waits behind it is not lost, and an error leads to another try after a while.
///
/// A [`Token`] is one, that is always the same, and so is a closure:
///
/// ```
/// use wavefront_sdk::{Sender, transport::{Token, TokenError}};
/// // Whoever puts a new token there has it used from the next request on.
/// let from_file = || {
///     let text = std::fs::read_to_string("/run/secrets/wavefront").map_err(|error| {
///         TokenError::unavailable(format!("the token's file cannot be read ({})", error.kind()))
///     })?;
///     Token::new(&text).map_err(|error| TokenError::unavailable(error.as_str()))
/// };
/// let sender = Sender::builder("https://example.wavefront.com").token_provider(from_file).build();
/// # drop(sender);
/// ```
pub trait TokenProvider: Send + Sync {
    /// The token for the next request.
    ///
    /// # Errors
    /// [`TokenError`] where there is none. The lines are kept.
    fn token(&self) -> Result<Token, TokenError>;

    /// The receiver refused `token` with this status, 401 or 403. If [`token`](Self::token) gives another one now, the
    /// request is made once more, with that; else it is an error, and a long wait follows.
    fn refused(&self, token: &Token, status: u16) {
        let _ = (token, status);
    }
}

impl TokenProvider for Token {
    fn token(&self) -> Result<Token, TokenError> {
        Ok(self.clone())
    }
}

impl<F: Fn() -> Result<Token, TokenError> + Send + Sync> TokenProvider for F {
    fn token(&self) -> Result<Token, TokenError> {
        self()
    }
}

impl<P: TokenProvider + ?Sized> TokenProvider for Arc<P> {
    fn token(&self) -> Result<Token, TokenError> {
        (**self).token()
    }

    fn refused(&self, token: &Token, status: u16) {
        (**self).refused(token, status);
    }
}

/// Why there is no token. Its words go to the hook and into logs: whoever makes one puts no secret into them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenError {
    refused: bool,
    after: Option<Duration>,
    words: Box<str>,
}

impl TokenError {
    /// No token can be had at present: whoever sends tries again as after a connection that could not be made.
    pub fn unavailable(words: impl Into<Box<str>>) -> Self {
        Self { refused: false, after: None, words: words.into() }
    }

    /// Who issues tokens refuses to, and will until somebody does something: the next try is after the long wait of a
    /// token that the receiver refuses.
    pub fn refused(words: impl Into<Box<str>>) -> Self {
        Self { refused: true, after: None, words: words.into() }
    }

    /// Who issues tokens asks to be left alone for so long.
    pub(super) const fn after(mut self, delay: Option<Duration>) -> Self {
        self.after = delay;
        self
    }

    pub(super) const fn delay(&self) -> Option<Duration> {
        self.after
    }

    /// Whether somebody has to do something.
    pub const fn is_refused(&self) -> bool {
        self.refused
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl core::error::Error for TokenError {}
