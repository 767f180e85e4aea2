//! A sender that the environment describes: a set-up without a line of code.

use core::fmt;
use std::string::String;
use std::vec::Vec;

use super::{BuildError, Endpoint, EndpointError, Form, MultiSender, SenderBuilder};
use crate::InvalidInput;
use crate::line::DefaultTags;
use crate::transport::{InvalidToken, Token};

/// Why a sender cannot be made of the environment: which variable is wrong, and how. Its value is not repeated.
#[derive(Debug)]
#[non_exhaustive]
pub struct EnvError {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with it.
    pub problem: EnvProblem,
}

/// What is wrong with a variable of the environment.
#[derive(Debug)]
#[non_exhaustive]
pub enum EnvProblem {
    /// It is not set, or blank, and has to be.
    Missing,
    /// It is not Unicode.
    NotUnicode,
    /// It is about the same as another one: only one of the two can be set.
    Twice(&'static str),
    /// It goes with another one that is not set.
    Alone(&'static str),
    /// It has several URLs, for which [`MultiSender::from_env`] is.
    Several,
    /// Not a proxy of the same sort as the endpoint.
    OtherSort,
    /// No endpoint.
    Endpoint(EndpointError),
    /// No token.
    Token(InvalidToken),
    /// No source, or no tag, that a line may have.
    Input(InvalidInput),
    /// Something without `=` among the tags.
    NoPair,
    /// What is wrong shows only when the sender is made.
    Build(BuildError),
}

const URL: &str = "WAVEFRONT_URL";
const FALLBACK: &str = "WAVEFRONT_FALLBACK";
const TOKEN: &str = "WAVEFRONT_TOKEN";
const SOURCE: &str = "WAVEFRONT_SOURCE";
const TAGS: &str = "WAVEFRONT_TAGS";
#[cfg(feature = "http")]
const CSP_API_TOKEN: &str = "WAVEFRONT_CSP_API_TOKEN";
#[cfg(feature = "http")]
const CSP_APP_ID: &str = "WAVEFRONT_CSP_APP_ID";
#[cfg(feature = "http")]
const CSP_APP_SECRET: &str = "WAVEFRONT_CSP_APP_SECRET";
#[cfg(feature = "http")]
const CSP_ORG_ID: &str = "WAVEFRONT_CSP_ORG_ID";
#[cfg(feature = "http")]
const CSP_BASE: &str = "WAVEFRONT_CSP_BASE";

impl SenderBuilder {
    /// What the environment says. A variable that is blank is as one that is not set.
    ///
    /// | variable | what it says | example |
    /// |---|---|---|
    /// | `WAVEFRONT_URL` | the [endpoint](Endpoint); required | `proxy://proxy-1:2878` |
    /// | `WAVEFRONT_FALLBACK` | [other proxies](Self::fallback), with commas between them | `proxy://proxy-2:2878` |
    /// | `WAVEFRONT_TOKEN` | the [token](Self::token), for `https://` without one only | |
    /// | `WAVEFRONT_SOURCE` | the [source](Self::source) of data that name none | `web-1` |
    /// | `WAVEFRONT_TAGS` | [tags](Self::tags) for data that have none of their keys; a value has no comma | `env=prod,zone=a` |
    /// | `WAVEFRONT_CSP_API_TOKEN` | a [CSP API token](Self::csp_api_token), for `https://` only | |
    /// | `WAVEFRONT_CSP_APP_ID`, `WAVEFRONT_CSP_APP_SECRET` | a [CSP OAuth app](Self::csp_app), for `https://` only | |
    /// | `WAVEFRONT_CSP_ORG_ID` | its organisation | |
    /// | `WAVEFRONT_CSP_BASE` | [where CSP is](Self::csp_base) | |
    ///
    /// What is called on the builder afterwards comes before what the environment says.
    ///
    /// ```no_run
    /// use wavefront_sdk::sender::SenderBuilder;
    /// let sender = SenderBuilder::from_env()?.batch_size(1_000).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EnvError`] names the variable that is wrong, without its value.
    pub fn from_env() -> Result<Self, EnvError> {
        let env = Environment::read()?;
        match env.urls()?.as_slice() {
            [url] => env.builder(url),
            _ => Err(EnvError { variable: URL, problem: EnvProblem::Several }),
        }
    }
}

impl MultiSender {
    /// A sender to each endpoint of the environment, as [`SenderBuilder::from_env`] has it, but that `WAVEFRONT_URL`
    /// may have several URLs with spaces between them. All share the other variables; each gets the options that
    /// `configure` gives it.
    ///
    /// # Errors
    /// As there, and what is wrong with the options.
    pub fn from_env(mut configure: impl FnMut(SenderBuilder) -> SenderBuilder) -> Result<Self, EnvError> {
        let env = Environment::read()?;
        let urls = env.urls()?;
        let built = |error| EnvError { variable: URL, problem: EnvProblem::Build(error) };
        let senders = urls.iter().enumerate().map(|(at, url)| {
            let of = |error| BuildError::Destination { number: at + 1, error: std::boxed::Box::new(error) };
            configure(env.builder(url)?).build().map_err(|error| built(of(error)))
        });
        Ok(Self::new(senders.collect::<Result<Vec<_>, _>>()?))
    }
}

/// The variables, each read once.
struct Environment {
    urls: String,
    fallback: Option<String>,
    token: Option<String>,
    source: Option<String>,
    tags: Option<DefaultTags>,
    #[cfg(feature = "http")]
    csp: Option<Csp>,
}

#[cfg(feature = "http")]
struct Csp {
    who: Who,
    base: Option<String>,
}

#[cfg(feature = "http")]
enum Who {
    ApiToken(String),
    App { id: String, secret: String, org: Option<String> },
}

impl Environment {
    fn read() -> Result<Self, EnvError> {
        let wrong = |variable| move |problem| EnvError { variable, problem };
        let urls = given(URL)?.ok_or(EnvError { variable: URL, problem: EnvProblem::Missing })?;
        let source = given(SOURCE)?;
        if let Some(source) = &source {
            let line = crate::Metric::new("m", 0.0).source(source).line();
            line.map_err(|invalid| wrong(SOURCE)(EnvProblem::Input(invalid)))?;
        }
        let tags = match given(TAGS)? {
            Some(text) => Some(tags(&text).map_err(wrong(TAGS))?),
            None => None,
        };
        let token = given(TOKEN)?;
        if let Some(token) = &token {
            Token::new(token).map_err(|invalid| wrong(TOKEN)(EnvProblem::Token(invalid)))?;
        }
        Ok(Self {
            urls,
            fallback: given(FALLBACK)?,
            #[cfg(feature = "http")]
            csp: Csp::read(token.is_some())?,
            token,
            source,
            tags,
        })
    }

    fn urls(&self) -> Result<Vec<Endpoint>, EnvError> {
        let wrong = |error| EnvError { variable: URL, problem: EnvProblem::Endpoint(error) };
        self.urls.split_whitespace().map(|url| Endpoint::parse(url).map_err(wrong)).collect()
    }

    fn builder(&self, endpoint: &Endpoint) -> Result<SenderBuilder, EnvError> {
        // The others have no use for a token, or would send it in the clear.
        let takes_token = endpoint.is_tls() && endpoint.form() == Form::ProxyHttp;
        let mut builder = SenderBuilder::to_endpoint(endpoint.clone());
        if let Some(source) = &self.source {
            builder = builder.source(source.clone());
        }
        if let Some(tags) = &self.tags {
            builder = builder.tags(tags);
        }
        if let Some(token) = self.token.as_ref().filter(|_| takes_token) {
            builder = builder.token(token.clone());
        }
        #[cfg(feature = "http")]
        if let Some(csp) = self.csp.as_ref().filter(|_| takes_token) {
            builder = csp.put_into(builder);
        }
        for url in self.fallback.iter().flat_map(|urls| urls.split(',')).filter(|url| !url.trim().is_empty()) {
            let wrong = |problem| EnvError { variable: FALLBACK, problem };
            let other = Endpoint::parse(url).map_err(|error| wrong(EnvProblem::Endpoint(error)))?;
            if other.form() != endpoint.form() || !matches!(other.form(), Form::ProxyHttp | Form::ProxyTcp) {
                return Err(wrong(EnvProblem::OtherSort));
            }
            builder = builder.fallback(url.trim());
        }
        Ok(builder)
    }
}

#[cfg(feature = "http")]
impl Csp {
    fn read(token: bool) -> Result<Option<Self>, EnvError> {
        let wrong = |variable, problem| Err(EnvError { variable, problem });
        let (api_token, id, secret) = (given(CSP_API_TOKEN)?, given(CSP_APP_ID)?, given(CSP_APP_SECRET)?);
        let (org, base) = (given(CSP_ORG_ID)?, given(CSP_BASE)?);
        let who = match (api_token, id, secret) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                return wrong(CSP_API_TOKEN, EnvProblem::Twice(CSP_APP_ID));
            }
            (Some(api_token), None, None) => Who::ApiToken(api_token),
            (None, Some(id), Some(secret)) => Who::App { id, secret, org: org.clone() },
            (None, Some(_), None) => return wrong(CSP_APP_ID, EnvProblem::Alone(CSP_APP_SECRET)),
            (None, None, Some(_)) => return wrong(CSP_APP_SECRET, EnvProblem::Alone(CSP_APP_ID)),
            (None, None, None) if base.is_some() => return wrong(CSP_BASE, EnvProblem::Alone(CSP_API_TOKEN)),
            (None, None, None) if org.is_some() => return wrong(CSP_ORG_ID, EnvProblem::Alone(CSP_APP_ID)),
            (None, None, None) => return Ok(None),
        };
        if token {
            return wrong(
                TOKEN,
                EnvProblem::Twice(if matches!(who, Who::ApiToken(_)) { CSP_API_TOKEN } else { CSP_APP_ID }),
            );
        }
        if org.is_some() && matches!(who, Who::ApiToken(_)) {
            return wrong(CSP_ORG_ID, EnvProblem::Alone(CSP_APP_ID));
        }
        Ok(Some(Self { who, base }))
    }

    fn put_into(&self, mut builder: SenderBuilder) -> SenderBuilder {
        if let Some(base) = &self.base {
            builder = builder.csp_base(base.clone());
        }
        match &self.who {
            Who::ApiToken(token) => builder.csp_api_token(token),
            Who::App { id, secret, org } => builder.csp_app(id, secret, org.as_deref()),
        }
    }
}

/// A variable that is set, and not blank.
fn given(variable: &'static str) -> Result<Option<String>, EnvError> {
    let Some(value) = std::env::var_os(variable) else { return Ok(None) };
    let value = value.into_string().map_err(|_| EnvError { variable, problem: EnvProblem::NotUnicode })?;
    Ok(Some(value).filter(|value| !value.trim().is_empty()))
}

/// `key=value,key=value`
fn tags(text: &str) -> Result<DefaultTags, EnvProblem> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').ok_or(EnvProblem::NoPair));
    DefaultTags::new(&pairs.collect::<Result<Vec<_>, _>>()?).map_err(EnvProblem::Input)
}

impl fmt::Display for EnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.variable)?;
        match &self.problem {
            EnvProblem::Missing => f.write_str("set it to where lines go, such as proxy://localhost:2878"),
            EnvProblem::NotUnicode => f.write_str("its value is not Unicode"),
            EnvProblem::Twice(other) => write!(f, "it is set, and {other} too: set one of them"),
            EnvProblem::Alone(other) => write!(f, "it is set without {other}: set both, or none"),
            EnvProblem::Several => f.write_str("it has several URLs, and this program sends to one endpoint"),
            EnvProblem::OtherSort => {
                f.write_str("a proxy of the same sort as WAVEFRONT_URL is needed: over HTTP, or over TCP lines")
            }
            EnvProblem::Endpoint(error) => error.fmt(f),
            EnvProblem::Token(invalid) => f.write_str(invalid.as_str()),
            EnvProblem::Input(invalid) => invalid.fmt(f),
            EnvProblem::NoPair => f.write_str("write key=value,key=value"),
            EnvProblem::Build(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for EnvError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.problem {
            EnvProblem::Endpoint(error) => Some(error),
            EnvProblem::Input(invalid) => Some(invalid),
            EnvProblem::Build(error) => Some(error),
            _ => None,
        }
    }
}
