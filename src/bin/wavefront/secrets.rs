//! Secrets on the command line: held so that nobody prints them, and taken out of what others print.

use core::convert::Infallible;
use core::fmt;
use core::str::FromStr;
use std::env;

/// An argument that is a secret or may hold one: a token, a URL. `Debug` does not show it.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// The argument itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// `text` without the secrets of this process's command line and environment: an error of usage repeats arguments.
pub(crate) fn redacted(text: &str) -> String {
    let mut arguments: Vec<String> =
        env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    if let Some(urls) = env::var_os("WAVEFRONT_URL") {
        arguments.extend(urls.to_string_lossy().split_whitespace().map(str::to_owned));
    }
    let token = env::var_os("WAVEFRONT_TOKEN").map(|token| token.to_string_lossy().into_owned());
    without(text, secrets(&arguments).chain(token))
}

fn without(text: &str, secrets: impl Iterator<Item = String>) -> String {
    let mut secrets: Vec<String> = secrets.filter(|secret| !secret.trim().is_empty()).collect();
    // One may be part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "[token]"))
}

/// What stands behind `--token`, and what stands before the `@` of a URL.
fn secrets(arguments: &[String]) -> impl Iterator<Item = String> {
    let behind = arguments.iter().zip(arguments.iter().skip(1));
    let behind = behind.filter(|(option, _)| *option == "--token").map(|(_, token)| token.clone());
    let joined = arguments.iter().filter_map(|argument| argument.strip_prefix("--token=").map(str::to_owned));
    let in_urls = arguments.iter().filter_map(|argument| {
        let (_, rest) = argument.split_once("://")?;
        rest.rsplit_once('@').map(|(secret, _)| secret.to_owned())
    });
    behind.chain(joined).chain(in_urls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(arguments: &[&str], text: &str) -> String {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        without(text, secrets(&arguments))
    }

    #[test]
    fn what_is_secret_is_taken_out() {
        let url = "https://s3cret@example.com/a";
        assert_eq!(said(&["send", url], url), "https://[token]@example.com/a");
        assert_eq!(said(&["--to=https://a:s3cret@h"], "a:s3cret"), "[token]");
        assert_eq!(said(&["--token", "s3cret"], "an s3cret here"), "an [token] here");
        assert_eq!(said(&["--token=s3cret", "--token", "s3cret-2"], "s3cret-2 s3cret"), "[token] [token]");
        assert_eq!(said(&["--token"], "--token needs a value"), "--token needs a value");
        assert_eq!(said(&["--token", ""], "as it was"), "as it was");
    }

    #[test]
    fn debug_shows_nothing() {
        let Ok(secret) = Secret::from_str("s3cret");
        assert_eq!((format!("{secret:?}").as_str(), secret.expose()), ("[secret]", "s3cret"));
    }
}
