//! Tokens of VMware Cloud Services (CSP), which expire and are renewed.

use core::fmt;
use core::hash::{BuildHasher, Hasher};
use core::time::Duration;
use std::borrow::ToOwned;
use std::io::Read;
use std::string::String;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};
use std::vec::Vec;

use reqwest::Url;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER};

use super::refresh::Refresh;
use super::{TokenError, TokenProvider};
use crate::delivery::{Backoff, Millis};
use crate::transport::http::{base_url, client, is_local, of_reqwest, retry_delay, root};
use crate::transport::{Failure, Http, HttpBuildError, Tls, Token};
use crate::vitals::AuthType;

/// Tokens by a CSP API token or as a CSP OAuth app.
///
/// | credentials | request | answer |
/// |---|---|---|
/// | API token | `POST {base}/csp/gateway/am/api/auth/api-tokens/authorize`, form `api_token=…` | JSON: `access_token`, `expires_in` in seconds |
/// | OAuth app | `POST {base}/csp/gateway/am/api/auth/authorize`, `Authorization: Basic …`, form `grant_type=client_credentials` and `orgId=…` if given | the same |
///
/// - A token is renewed 30 s before it expires, 3 minutes before where it is good for 10 minutes and more, by the first
///   request after that, on a thread of its own: **the old one serves meanwhile, and until it expires if that fails**.
/// - One renewal is under way at most, however many threads ask. Where there is no token that may be used, they wait
///   for it.
/// - After a failure the next try is after [`backoff`](CspBuilder::backoff); where the service refuses the credentials,
///   after [`auth_backoff`](CspBuilder::auth_backoff); `Retry-After` is honoured, up to 5 minutes. Lines wait, none is
///   lost.
/// - A token that the receiver refuses is not used any more, and renewed at once.
/// - Neither `Debug` nor an error shows credentials or a token.
///
/// Clones share the token.
///
/// ```no_run
/// use wavefront_sdk::{Sender, transport::Csp};
/// let csp = Csp::app("client-id", "…the secret…", None).build()?;
/// let sender = Sender::builder("https://example.wavefront.com").token_provider(csp).build()?;
/// // The same, in short:
/// let sender = Sender::builder("https://example.wavefront.com").csp_app("client-id", "…the secret…", None).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Csp(Arc<Shared>);

/// Shared with the thread that renews.
struct Shared {
    client: Client,
    url: Url,
    credentials: Credentials,
    backoff: Backoff,
    auth_backoff: Backoff,
    started: Instant,
    state: Mutex<State>,
    renewed: Condvar,
}

struct State {
    refresh: Refresh,
    token: Option<Token>,
    /// Why the last renewal failed, if it did.
    error: Option<TokenError>,
}

#[derive(Clone)]
enum Credentials {
    ApiToken(String),
    App { id: String, secret: String, org: Option<String> },
}

impl Csp {
    /// Where the service is.
    pub const BASE: &str = "https://console.cloud.vmware.com";

    /// The most of an answer that is read.
    const MOST: u64 = 1 << 18;

    /// Tokens by an API token of a user or service account.
    pub fn api_token(token: &str) -> CspBuilder {
        CspBuilder::new(Credentials::ApiToken(token.trim().to_owned()))
    }

    /// Tokens as an OAuth app with the grant `client_credentials`, in the organisation `org` or, without one, in the
    /// app's own.
    pub fn app(id: &str, secret: &str, org: Option<&str>) -> CspBuilder {
        let (id, secret) = (id.trim().to_owned(), secret.trim().to_owned());
        CspBuilder::new(Credentials::App {
            id,
            secret,
            org: org.map(str::trim).filter(|org| !org.is_empty()).map(str::to_owned),
        })
    }
}

impl TokenProvider for Csp {
    fn token(&self) -> Result<Token, TokenError> {
        let Self(shared) = self;
        let mut state = shared.lock();
        loop {
            let now = shared.now();
            let begins = state.refresh.begin(now);
            if let Some(token) = state.token.as_ref().filter(|_| state.refresh.is_usable(now)) {
                let token = token.clone();
                drop(state);
                if begins {
                    Shared::renew_apart(shared);
                }
                return Ok(token);
            }
            if begins {
                drop(state);
                Renewal::of(shared).run();
                state = shared.lock();
            } else if state.refresh.is_under_way() {
                let under_way = |state: &mut State| state.refresh.is_under_way();
                state = shared.renewed.wait_while(state, under_way).unwrap_or_else(PoisonError::into_inner);
            } else {
                return Err(state.error.clone().unwrap_or_else(|| TokenError::unavailable("the token has expired")));
            }
            match (&state.error, &state.token) {
                // The next try is for the next request, after whoever sends has waited too.
                (Some(error), _) => return Err(error.clone()),
                // It is used however short its time: it was good when it was sent.
                (None, Some(token)) if !state.refresh.is_refused() => return Ok(token.clone()),
                _ => {}
            }
        }
    }

    fn refused(&self, token: &Token, _: u16) {
        let mut state = self.0.lock();
        if state.token.as_ref() == Some(token) {
            state.refresh.refused();
        }
    }
}

impl fmt::Debug for Csp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Csp").field("url", &self.0.url.as_str()).finish_non_exhaustive()
    }
}

impl Shared {
    /// The state is whole at every point where a panic could leave it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Millis {
        Millis(0).after(self.started.elapsed())
    }

    /// Renews the token on a thread of its own, as there is one that may be used until then.
    fn renew_apart(shared: &Arc<Self>) {
        let renewal = Renewal::of(shared);
        // Where there is no thread, dropping it says that it failed.
        let _ = std::thread::Builder::new().name("wavefront-token".to_owned()).spawn(move || renewal.run());
    }

    /// Asks the service for a token; how long it is good for.
    fn ask(&self) -> Result<(Token, Duration), TokenError> {
        let request = self.client.post(self.url.clone()).header(ACCEPT, HeaderValue::from_static("application/json"));
        match self.credentials.put_into(request).send() {
            Ok(response) if response.status().is_success() => {
                let mut body = Vec::new();
                let read = response.take(Csp::MOST).read_to_end(&mut body);
                read.map_err(|_| TokenError::unavailable("the token service broke its answer off"))?;
                answer::read(&body).ok_or_else(|| {
                    TokenError::unavailable(
                        "the token service answered with something else than a token: check csp_base",
                    )
                })
            }
            Ok(response) => Err(refusal(&response)),
            Err(failure) => {
                let failure = failure.without_url();
                Err(match of_reqwest(&failure) {
                    Failure::Tls(problem) => TokenError::unavailable(std::format!("at the token service: {problem}")),
                    Failure::Timeout => TokenError::unavailable("the token service did not answer in time"),
                    Failure::Connect => TokenError::unavailable(std::format!(
                        "no connection to the token service ({}): check csp_base and the way there",
                        root(&failure)
                    )),
                    _ => TokenError::unavailable("the connection to the token service broke"),
                })
            }
        }
    }
}

/// What another status than 2xx means. The body is not shown: it may repeat the credentials.
fn refusal(response: &Response) -> TokenError {
    let code = response.status().as_u16();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = after.and_then(|text| retry_delay(text, SystemTime::now()));
    let words = |what: &str| std::format!("the token service answered {code}: {what}");
    match code {
        408 | 429 | 500..=599 => TokenError::unavailable(words("it is busy or ill")).after(after),
        400 | 401 | 403 => TokenError::refused(words("check the credentials, and that they have not expired")),
        _ => TokenError::refused(words("nothing issues tokens there, check csp_base")),
    }
}

/// A renewal that is under way. It ends once, whatever happens to it.
struct Renewal {
    shared: Arc<Shared>,
    asked: Millis,
    result: Option<Result<(Token, Duration), TokenError>>,
}

impl Renewal {
    fn of(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), asked: shared.now(), result: None }
    }

    fn run(mut self) {
        self.result = Some(self.shared.ask());
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        let shared = &self.shared;
        let failed = || Err(TokenError::unavailable("the token could not be renewed: no thread, or a bug"));
        let mut state = shared.lock();
        match self.result.take().unwrap_or_else(failed) {
            Ok((token, expires_in)) => {
                state.refresh.succeeded(self.asked, expires_in);
                (state.token, state.error) = (Some(token), None);
            }
            Err(error) => {
                let backoff = if error.is_refused() { shared.auth_backoff } else { shared.backoff };
                state.refresh.failed(shared.now(), backoff, error.delay());
                state.error = Some(error);
            }
        }
        drop(state);
        shared.renewed.notify_all();
    }
}

impl Credentials {
    fn path(&self) -> &'static str {
        match self {
            Self::ApiToken(_) => "/csp/gateway/am/api/auth/api-tokens/authorize",
            Self::App { .. } => "/csp/gateway/am/api/auth/authorize",
        }
    }

    fn put_into(&self, request: RequestBuilder) -> RequestBuilder {
        let (request, body) = match self {
            Self::ApiToken(token) => (request, form(&[("api_token", token)])),
            Self::App { id, secret, org } => {
                let grant = [("grant_type", "client_credentials")].into_iter();
                let pairs: Vec<_> = grant.chain(org.as_deref().map(|org| ("orgId", org))).collect();
                (request.basic_auth(id, Some(secret)), form(&pairs))
            }
        };
        request.header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")).body(body)
    }
}

/// `application/x-www-form-urlencoded`, which is what a URL's query is too.
fn form(pairs: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse("http://h") else { return String::new() };
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

/// Credentials of CSP, and how they are used.
#[derive(Clone)]
#[must_use]
pub struct CspBuilder {
    credentials: Credentials,
    base: String,
    plain: bool,
    tls: Tls,
    timeout: Duration,
    backoff: Backoff,
    auth_backoff: Backoff,
}

impl CspBuilder {
    /// What the receiver is shown, in words that all SDKs of the family use.
    pub(crate) const fn auth_type(&self) -> AuthType {
        match self.credentials {
            Credentials::ApiToken(_) => AuthType::CspApiToken,
            Credentials::App { .. } => AuthType::CspClientCredentials,
        }
    }

    fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            base: Csp::BASE.to_owned(),
            plain: false,
            tls: Tls::new(),
            timeout: Http::TIMEOUT,
            backoff: Backoff::HTTP,
            auth_backoff: Backoff::AUTH,
        }
    }

    /// Another service than [`Csp::BASE`]: `https://host[:port][/path]`.
    pub fn base(mut self, base: impl Into<String>) -> Self {
        self.base = base.into();
        self
    }

    /// Lets the credentials travel over `http://` to any host, where everybody on the way can read them.
    pub const fn allow_plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Whom to trust, and who we are.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// How long a request may take: 30 s.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long to wait after the service could not be reached or was ill, instead of [`Backoff::HTTP`].
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How long to wait after the service refused the credentials, instead of [`Backoff::AUTH`].
    pub const fn auth_backoff(mut self, backoff: Backoff) -> Self {
        self.auth_backoff = backoff;
        self
    }

    /// The provider. Nothing is looked up, nothing is connected.
    ///
    /// # Errors
    /// [`CspBuildError`] says what is wrong.
    pub fn build(self) -> Result<Csp, CspBuildError> {
        match &self.credentials {
            Credentials::ApiToken(token) if token.is_empty() => return Err(CspBuildError::Empty("csp_api_token")),
            Credentials::App { id, secret, .. } if id.is_empty() || secret.is_empty() => {
                return Err(CspBuildError::Empty("csp_app"));
            }
            // What stands before the first colon is the id (RFC 7617, 2).
            Credentials::App { id, .. } if id.contains(':') => return Err(CspBuildError::Id),
            _ => {}
        }
        let mut url = base_url(self.base.trim()).ok_or(CspBuildError::Base)?;
        if url.scheme() != "https" && !self.plain && !is_local(&url) {
            return Err(CspBuildError::Plain);
        }
        let connect = self.timeout.min(Http::CONNECT_TIMEOUT);
        let client = client(&url, &self.tls, connect, self.timeout, Http::IDLE).map_err(CspBuildError::Http)?;
        let mut path = url.path().trim_end_matches('/').to_owned();
        path.push_str(self.credentials.path());
        url.set_path(&path);
        // The standard library's hash keys are random.
        let seed = std::hash::RandomState::new().build_hasher().finish();
        Ok(Csp(Arc::new(Shared {
            client,
            url,
            credentials: self.credentials,
            backoff: self.backoff,
            auth_backoff: self.auth_backoff,
            started: Instant::now(),
            state: Mutex::new(State { refresh: Refresh::new(seed), token: None, error: None }),
            renewed: Condvar::new(),
        })))
    }
}

impl fmt::Debug for CspBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.credentials {
            Credentials::ApiToken(_) => "api_token",
            Credentials::App { .. } => "app",
        };
        // The base is not looked at yet: it may have a secret in it.
        f.debug_struct("CspBuilder").field("credentials", &what).finish_non_exhaustive()
    }
}

/// Why a [`Csp`] could not be made. It repeats nothing of what was given.
#[derive(Debug)]
#[non_exhaustive]
pub enum CspBuildError {
    /// The credentials of this name are empty.
    Empty(&'static str),
    /// The app's id has a colon in it.
    Id,
    /// The base is not `https://host[:port][/path]`, or has a user name, a query or a fragment.
    Base,
    /// The credentials would travel in the clear.
    Plain,
    /// The HTTP client could not be made.
    Http(HttpBuildError),
}

impl fmt::Display for CspBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty(name) => write!(f, "{name} has to be what the CSP console gave, and is empty"),
            Self::Id => f.write_str("csp_app has to be an id without a colon, and its secret"),
            Self::Base => {
                f.write_str("csp_base has to be https://host[:port][/path], without a user name, a query or a fragment")
            }
            Self::Plain => f.write_str("csp_base has to be https://: credentials could be read by anybody on the way"),
            Self::Http(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for CspBuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Http(error) => Some(error),
            _ => None,
        }
    }
}

/// What the service answers with.
mod answer {
    use core::time::Duration;

    use crate::parse::json::{Json, Walk};
    use crate::transport::Token;

    /// The token, and how long it is good for.
    pub(super) fn read(body: &[u8]) -> Option<(Token, Duration)> {
        let mut walk = Walk::new(core::str::from_utf8(body).ok()?, 0);
        let Json::Object(_) = walk.value().ok()? else { return None };
        let (mut token, mut seconds, mut first) = (None, None, true);
        while walk.more(first, b'}').ok()? {
            first = false;
            let key = walk.key().ok()?;
            if key == *"access_token" {
                let Json::String(text, _) = walk.value().ok()? else { return None };
                token = Token::new(&text.to_cow()).ok();
            } else if key == *"expires_in" {
                let Json::Number(number) = walk.value().ok()? else { return None };
                seconds = number.parse::<u64>().ok();
            } else {
                walk.skip().ok()?;
            }
        }
        let seconds = seconds.filter(|seconds| *seconds > 0)?;
        walk.peek().is_none().then_some((token?, Duration::from_secs(seconds)))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn an_answer_has_a_token_and_its_time() {
            let read = |text: &str| {
                read(text.as_bytes()).map(|(token, time)| (std::string::String::from(token.expose()), time.as_secs()))
            };
            let good = r#" {"id_token": "x", "scope":["a",{"b":null}], "expires_in":1799,"access_token":"t\u002e1"} "#;
            assert_eq!(read(good), Some(("t.1".into(), 1799)));
            for bad in [
                "",
                "{}",
                "[]",
                "<html>",
                r#"{"access_token":"t"}"#,
                r#"{"expires_in":1}"#,
                r#"{"access_token":"t","expires_in":0}"#,
                r#"{"access_token":"t","expires_in":-1}"#,
                r#"{"access_token":"t","expires_in":"1799"}"#,
                r#"{"access_token":"","expires_in":1799}"#,
                r#"{"access_token":"t t","expires_in":1799}"#,
                r#"{"access_token":7,"expires_in":1799}"#,
                r#"{"access_token":"t","expires_in":1799"#,
                r#"{"access_token":"t","expires_in":1799} x"#,
            ] {
                assert_eq!(read(bad), None, "{bad}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_encoded() {
        assert_eq!(form(&[("api_token", "a b&c=d/e+f%\u{e9}")]), "api_token=a+b%26c%3Dd%2Fe%2Bf%25%C3%A9");
    }

    #[test]
    fn what_is_wrong_is_said_by_its_name_and_not_repeated() {
        let plain = "http://s3cret.example.com";
        for (builder, name) in [
            (Csp::api_token(" "), "csp_api_token"),
            (Csp::app("", "s3cret", None), "csp_app"),
            (Csp::app("s3cret", "", None), "csp_app"),
            (Csp::app("s3cret:", "s3cret", Some("s3cret")), "csp_app"),
            (Csp::api_token("s3cret").base("s3cret"), "csp_base"),
            (Csp::api_token("s3cret").base("https://s3cret@h"), "csp_base"),
            (Csp::api_token("s3cret").base("https://h?s3cret"), "csp_base"),
            (Csp::api_token("s3cret").base(plain), "csp_base"),
        ] {
            let shown = std::format!("{builder:?}");
            let error = builder.build().map(|_| ()).unwrap_err();
            let text = std::format!("{error}");
            assert!(text.starts_with(&std::format!("{name} has to be ")), "{text}");
            assert!(!std::format!("{shown} {text} {error:?}").contains("s3cret"), "{text}");
        }
        let csp = Csp::app("id", "s3cret", None).base("http://127.0.0.1:1/x/").build().unwrap();
        assert!(!std::format!("{csp:?}").contains("s3cret"));
        assert_eq!(csp.0.url.as_str(), "http://127.0.0.1:1/x/csp/gateway/am/api/auth/authorize");
        assert!(Csp::api_token("s3cret").base(plain).allow_plain().build().is_ok());
    }
}
