//! How a sender is made: where it sends, and within what bounds.

use core::time::Duration;
use std::boxed::Box;
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

use super::access::Access;
use super::driver::{Route, Shared};
use super::error::BuildError;
use super::handle::Settings;
use super::hub::Carry;
use super::incident::Incident;
use super::keeper::Shelf;
use super::own::{Known, Wanted};
use super::routes::Fallbacks;
use super::tell::Hook;
use super::{Endpoint, EndpointError, Form, Overflow, Ports, Sender};
use crate::delivery::{Backoff, Config, Keep, Overflow as QueuePolicy, Replay};
use crate::line::DefaultTags;
use crate::store::Store;
#[cfg(feature = "http")]
use crate::transport::{Http, HttpBuildError};
use crate::transport::{Token, Transport};
use crate::{ApplicationTags, Encode, EventForm, InvalidInput, KindSet, Limits, Metric, Rules, Tags};

/// Makes a [`Sender`]. Building it never connects: a dead endpoint does not keep an application from starting.
///
/// | option | default |
/// |---|---|
/// | [`source`](Self::source) | the machine's host name |
/// | [`tags`](Self::tags) | none |
/// | [`max_queue_size`](Self::max_queue_size) | 50,000 lines a kind |
/// | [`max_queue_bytes`](Self::max_queue_bytes) | 32 MiB a kind |
/// | [`batch_size`](Self::batch_size) | 10,000 lines, or 256 KiB |
/// | [`flush_interval`](Self::flush_interval) | 5 s |
/// | [`overflow`](Self::overflow) | drop newest; with a store, leave it to that |
/// | [`store`](Self::store) | none |
/// | [`in_flight`](Self::in_flight) | 4 requests over HTTP, 1 over TCP |
/// | [`request_timeout`](Self::request_timeout) | 30 s |
/// | [`backoff`](Self::backoff) | [`Backoff::HTTP`] or [`Backoff::TCP`] |
/// | [`auth_backoff`](Self::auth_backoff) | [`Backoff::AUTH`] |
/// | [`replay`](Self::replay) | `Idempotent` (TCP) |
/// | [`replay_window`](Self::replay_window) | 8 MiB, 10 s (TCP) |
/// | [`fallback`](Self::fallback) | none: one endpoint |
/// | [`recovery`](Self::recovery) | 30 s |
/// | [`on_error`](Self::on_error) | nobody is told |
/// | `token`, `token_provider`, `csp_api_token` or `csp_app` | none: a proxy |
/// | `tls` | whoever the machine trusts |
/// | [`own_metrics`](Self::own_metrics) | every 60 s |
/// | [`heartbeat`](Self::heartbeat), [`heartbeat_interval`](Self::heartbeat_interval) | none; 5 minutes |
#[must_use = "call build()"]
pub struct SenderBuilder {
    target: Target,
    token: Option<String>,
    pub(super) access: Access,
    plain_token: bool,
    trace_port: Option<u16>,
    histogram_port: Option<u16>,
    source: Option<String>,
    source_needed: bool,
    limits: Limits,
    overflow: Option<Overflow>,
    in_flight: Option<usize>,
    request_timeout: Option<Duration>,
    config: Config,
    hook: Option<Hook>,
    store: Option<(Box<dyn Shelf>, Keep)>,
    own: Wanted,
    pub(super) fallbacks: Fallbacks,
    pub(super) tags: Result<DefaultTags, InvalidInput>,
}

enum Target {
    Url(String),
    Endpoint(Endpoint),
    Own(Box<dyn Carry>),
}

impl core::fmt::Debug for SenderBuilder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SenderBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl SenderBuilder {
    pub(super) fn to_url(url: &str) -> Self {
        Self::to(Target::Url(url.to_string()))
    }

    /// A sender to an endpoint that was parsed or put together before.
    pub fn to_endpoint(endpoint: Endpoint) -> Self {
        Self::to(Target::Endpoint(endpoint))
    }

    /// A sender over a transport of your own, which takes every kind, events as lines.
    ///
    /// ```
    /// use wavefront_sdk::sender::SenderBuilder;
    /// use wavefront_sdk::{Metric, transport::Memory};
    /// let memory = Memory::new();
    /// let sender = SenderBuilder::over(memory.clone()).source("host-1").build()?;
    /// sender.send(Metric::new("a", 1.0))?;
    /// sender.flush_now()?;
    /// assert_eq!(memory.text(), "\"a\" 1.0 source=\"host-1\"\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn over<T: Transport + Send + 'static>(transport: T) -> Self {
        Self::to(Target::Own(Box::new(transport)))
    }

    fn to(target: Target) -> Self {
        Self {
            target,
            token: None,
            access: Access::default(),
            plain_token: false,
            trace_port: None,
            histogram_port: None,
            source: None,
            source_needed: false,
            limits: Limits::DEFAULT,
            overflow: None,
            in_flight: None,
            request_timeout: None,
            config: Config { seed: seed(), ..Config::DEFAULT },
            hook: None,
            store: None,
            own: Wanted::NOTHING,
            fallbacks: Fallbacks::NONE,
            tags: Ok(DefaultTags::default()),
        }
    }

    /// The API token, which makes the endpoint one of direct ingestion.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Lets the token travel over `http://` to any host, where everybody on the way can read it.
    pub fn allow_plain_token(mut self) -> Self {
        self.plain_token = true;
        self
    }

    /// TCP only: the proxy's port for spans and span logs.
    pub fn trace_port(mut self, port: u16) -> Self {
        self.trace_port = Some(port);
        self
    }

    /// TCP only: the proxy's port for histograms.
    pub fn histogram_port(mut self, port: u16) -> Self {
        self.histogram_port = Some(port);
        self
    }

    /// The source of data that name none.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Without [`source`](Self::source), data that name no source are errors: the machine's name is nobody's default.
    /// For programs that pass on what others measured.
    pub fn require_source(mut self) -> Self {
        self.source_needed = true;
        self
    }

    /// Lines of one kind that wait or are on their way, at most.
    pub fn max_queue_size(mut self, lines: usize) -> Self {
        self.config.queue_lines = lines;
        self
    }

    /// Bytes of the lines of one kind that wait or are on their way, at most.
    pub fn max_queue_bytes(mut self, bytes: usize) -> Self {
        self.config.queue_bytes = bytes;
        self
    }

    /// Lines of a batch, at most. Neither this nor the flush interval bounds the throughput: full batches leave at
    /// once, or 2 ms later where one was written to a TCP connection just before.
    pub fn batch_size(mut self, lines: usize) -> Self {
        self.config.batch_lines = u32::try_from(lines).unwrap_or(u32::MAX);
        self
    }

    /// How long a line waits for its batch to fill, at most.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.config.flush_interval = interval;
        self
    }

    /// What to do when the queue of a kind is full.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = Some(overflow);
        self
    }

    /// A store for what an outage or a crash would lose, and what goes there. With it, what is not delivered by the end
    /// of [`close`](Sender::close) stays in the store for the next sender that opens it, and [`flush`](Sender::flush)
    /// returns when everything is durable or delivered.
    ///
    /// ```
    /// # #[cfg(feature = "spool")] {
    /// use std::time::Duration;
    /// use wavefront_sdk::{Metric, Sender, delivery::{Keep, Mode}, store::Directory};
    /// # let path = std::env::temp_dir().join(format!("wavefront-doc-{}", std::process::id()));
    ///
    /// // Nobody listens there.
    /// let store = Directory::open(&path)?;
    /// let sender = Sender::builder("proxy://localhost:1").store(store, Keep::new(Mode::Always)).build()?;
    /// sender.send(Metric::new("a", 1.0).source("localhost"))?;
    /// sender.flush(Duration::from_secs(10))?;
    /// assert_eq!(sender.close(Duration::ZERO).total().stored, 1);
    ///
    /// // The next one finds it.
    /// let sender = Sender::builder("proxy://localhost:1").store(Directory::open(&path)?, Keep::default()).build()?;
    /// assert_eq!(sender.close(Duration::from_secs(1)).total().recovered, 1);
    /// # std::fs::remove_dir_all(&path)?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn store<S: Store + Send + 'static>(mut self, store: S, keep: Keep) -> Self {
        self.store = Some((Box::new(store), keep));
        self
    }

    /// HTTP only: how many requests may be under way at once. With 1, batches keep their order.
    pub fn in_flight(mut self, requests: usize) -> Self {
        self.in_flight = Some(requests);
        self
    }

    /// TCP only: what is sent again when a connection breaks whose peer may or may not have read it.
    pub fn replay(mut self, replay: Replay) -> Self {
        self.config.replay = replay.kinds();
        self
    }

    /// TCP only: how much of what was written is kept in case the connection breaks, and for how long, counted from
    /// when the peer's kernel had it. Then it is taken for delivered. What the peer's kernel does not have is kept in
    /// any case.
    ///
    /// Two zeros mean that what the peer's kernel has counts as delivered at once; else the bytes are from 262,144
    /// (256 KiB) to 1 GiB, the duration up to one hour.
    pub fn replay_window(mut self, bytes: usize, duration: Duration) -> Self {
        (self.config.replay_bytes, self.config.replay_for) = (bytes, duration);
        self
    }

    /// The receiver's limits, where they are not the proxy's defaults.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Calls `hook` with everything that goes wrong from now on: failed batches, refused tokens, lost and doubtful
    /// lines.
    ///
    /// It is called on a thread of the sender, or on the one that calls `close` or drops the last handle; several may
    /// call it at a time. No lock is held meanwhile, so it may call anything of the sender; but as it may stand in for
    /// whom it would wait for, `flush`, `close` and the like do not wait when it calls them: a `close` is begun, and
    /// goes on behind it. While it runs, its thread carries no lines: hand over what takes long. A panic in it goes no
    /// further.
    ///
    /// A handle that it holds keeps the sender from being dropped, until `close` lets go of the hook.
    ///
    /// ```
    /// # use wavefront_sdk::{Metric, transport::{Fault, Memory, Step}};
    /// # use core::time::Duration;
    /// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
    /// use wavefront_sdk::sender::{Fate, SenderBuilder};
    ///
    /// # let receiver = Fault::new(Memory::new(), [Step::Status { code: 400, retry_after: None }]);
    /// let lost = Arc::new(AtomicUsize::new(0));
    /// let counter = lost.clone();
    /// let sender = SenderBuilder::over(receiver)
    ///     .on_error(move |incident| {
    ///         eprintln!("{:?}: {incident}", incident.blame());
    ///         if let Fate::Dropped(_) = incident.fate {
    ///             counter.fetch_add(incident.lines, Ordering::Relaxed);
    ///         }
    ///     })
    ///     .build()?;
    /// sender.send(Metric::new("new-york.power.usage", 42422.0).source("localhost"))?;
    /// let ledger = sender.close(Duration::from_secs(5));
    /// assert_eq!((lost.load(Ordering::Relaxed), ledger.total().dropped.rejected), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_error(mut self, hook: impl Fn(&Incident) + Send + Sync + 'static) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }

    /// How often the sender reports [metrics about itself](crate::vitals), to its own endpoint: every 60 s unless
    /// another interval is given, never with `None`. Over a transport of your own only where this says how often.
    ///
    /// They take no room in the queue, wait behind nothing in it, and are not in the [`ledger`](Sender::ledger), with
    /// which they agree. The first report comes after one interval; a sender that has reported reports the rest as it
    /// closes.
    pub fn own_metrics(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.own.metrics = Some(interval.into());
        self
    }

    /// Sends a heartbeat of this component of the application, at once and then every
    /// [`heartbeat_interval`](Self::heartbeat_interval), past the queue as [own metrics](Self::own_metrics) are. May be
    /// called several times, once for each component.
    ///
    /// ```
    /// # use wavefront_sdk::{Sender, data::ApplicationTags};
    /// let ordering = ApplicationTags::new("ordering", "inventory").cluster("us-west-2");
    /// let sender = Sender::builder("proxy://localhost:2878").heartbeat(&ordering, "wavefront-generated").build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn heartbeat<S: AsRef<str>, C: Tags>(mut self, tags: &ApplicationTags<S, C>, component: &str) -> Self {
        self.own.heartbeats.push((tags.to_owned_tags(), component.to_string()));
        self
    }

    /// How often heartbeats are sent.
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.own.heartbeat_interval = interval;
        self
    }

    /// How long to wait after failures, instead of [`Backoff::HTTP`] or [`Backoff::TCP`].
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.config.backoff = backoff;
        self
    }

    /// How long to wait after the receiver refused the token, instead of [`Backoff::AUTH`].
    pub fn auth_backoff(mut self, backoff: Backoff) -> Self {
        self.config.auth_backoff = backoff;
        self
    }

    /// Tags that each metric, delta counter, histogram and span gets which has none of that key; finished lines stay as
    /// they are. Application tags may stand here. The last call counts.
    ///
    /// ```
    /// # use wavefront_sdk::{Metric, sender::SenderBuilder, transport::Memory};
    /// # let memory = Memory::new();
    /// let sender = SenderBuilder::over(memory.clone()).source("s").tags([("env", "prod"), ("zone", "a")]).build()?;
    /// sender.send(Metric::new("cpu.load", 0.5).tag("zone", "b"))?;
    /// sender.flush_now()?;
    /// assert_eq!(memory.text(), "\"cpu.load\" 0.5 source=\"s\" \"zone\"=\"b\" \"env\"=\"prod\"\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tags(mut self, tags: impl Tags) -> Self {
        self.tags = DefaultTags::new(&tags);
        self
    }

    /// How long a request may take, from the look-up of the name to the end of the answer; over TCP, how long a batch
    /// may take to be written.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = Some(timeout);
        self
    }

    /// Starts the sender's threads.
    ///
    /// # Errors
    /// [`BuildError`] names what is wrong with the configuration.
    pub fn build(mut self) -> Result<Sender, BuildError> {
        self.check()?;
        self.access.check(self.token.is_some())?;
        let backoff_given = self.config.backoff != Backoff::HTTP;
        let mut kinds = KindSet::ALL;
        let mut events = EventForm::Line;
        let mut known = None;
        let auth = self.access.auth_type();
        let target = match self.target {
            Target::Own(carrier) => {
                self.access.unused("left out with a transport of one's own").map(|()| Err(carrier))?
            }
            Target::Endpoint(endpoint) => Ok(endpoint),
            // As an endpoint it is the same as `http://`, which may take one.
            Target::Url(url) if (self.token.is_some() || self.access.has_tokens()) && is_proxy(&url) => {
                return Err(EndpointError::TokenForProxy.into());
            }
            Target::Url(url) if self.plain_token => Ok(Endpoint::parse_allowing_plain_token(&url)?),
            Target::Url(url) => Ok(Endpoint::parse(&url)?),
        };
        let routes = match target {
            Err(carrier) => std::vec![Route { kinds, carriers: std::vec![carrier] }],
            Ok(mut endpoint) => {
                if let Some(token) = self.token {
                    endpoint = endpoint.with_token(Token::new(&token).map_err(EndpointError::Token)?)?;
                }
                endpoint = self.access.direct(endpoint)?;
                let Ports { metrics, histograms, traces } = endpoint.ports();
                endpoint = endpoint.with_ports(Ports {
                    metrics,
                    histograms: self.histogram_port.or(histograms),
                    traces: self.trace_port.or(traces),
                });
                endpoint.supported()?;
                kinds = endpoint.kinds();
                events = endpoint.event_form();
                self.config.single = endpoint.single();
                let given = (self.histogram_port, self.trace_port);
                let routes = match endpoint.form() {
                    Form::ProxyTcp => {
                        if !backoff_given {
                            self.config.backoff = Backoff::TCP;
                        }
                        self.fallbacks.routes(&endpoint, kinds, given, |endpoint, kinds| {
                            tcp_routes(endpoint, kinds, self.request_timeout, &self.access)
                        })?
                    }
                    Form::Unix | Form::File { .. } | Form::Stdout => {
                        if !self.fallbacks.is_empty() {
                            return Err(BuildError::Option {
                                name: "fallback",
                                expected: "left out where no proxy is the endpoint",
                            });
                        }
                        if !backoff_given && endpoint.form() == Form::Unix {
                            self.config.backoff = Backoff::TCP;
                        }
                        self.access.unused("left out with an endpoint on this machine")?;
                        std::vec![super::routes::local(&endpoint, self.request_timeout)]
                    }
                    _ => {
                        let in_flight = self.in_flight.unwrap_or(4);
                        let mut access = self.access;
                        self.fallbacks.routes(&endpoint, kinds, given, |endpoint, kinds| {
                            let others = access.of_another();
                            let access = (core::mem::replace(&mut access, others), &self.config, self.plain_token);
                            http_routes(endpoint, kinds, in_flight, self.request_timeout, access)
                        })?
                    }
                };
                known = Some(endpoint);
                routes
            }
        };
        let overflow =
            self.overflow.unwrap_or(if self.store.is_some() { Overflow::Store } else { Overflow::DropNewest });
        self.config.overflow = match overflow {
            Overflow::DropOldest => QueuePolicy::DropOldest,
            Overflow::DropNewest | Overflow::Block(_) | Overflow::Store => QueuePolicy::DropNewest,
        };
        let source = self.source.filter(|source| !source.trim().is_empty());
        let queue = Known { kinds, lines: self.config.queue_lines };
        let own = self.own.of(known.as_ref(), auth, source.as_deref(), self.limits, queue)?;
        let settings = Settings {
            default_source: source.or_else(|| if self.source_needed { None } else { host_name() }),
            limits: self.limits,
            events,
            kinds,
            overflow,
            endpoint: known,
            tags: self.tags.unwrap_or_default(),
        };
        let shared = Shared::start(self.config, routes, self.store, self.hook, own).map_err(BuildError::Thread)?;
        Ok(Sender::new(shared, settings))
    }

    fn check(&self) -> Result<(), BuildError> {
        let wrong = |name, expected| Err(BuildError::Option { name, expected });
        match &self.config {
            config if config.queue_lines == 0 => wrong("max_queue_size", "at least 1"),
            config if config.queue_bytes < config.segment_bytes => {
                wrong("max_queue_bytes", "at least 262144 (256 KiB)")
            }
            config if config.batch_lines == 0 => wrong("batch_size", "at least 1"),
            config if config.flush_interval.is_zero() => wrong("flush_interval", "longer than zero"),
            config if !is_window(config.replay_bytes, config.replay_for) => {
                wrong("replay_window", "from 262144 bytes (256 KiB) to 1 GiB and up to 1 hour, or zero and zero")
            }
            _ if self.overflow == Some(Overflow::Store) && self.store.is_none() => {
                wrong("overflow", "another policy, where there is no store")
            }
            _ if self.store.as_ref().is_some_and(|(_, keep)| keep.bytes < self.config.segment_bytes as u64) => {
                wrong("store bytes", "at least 262144 (256 KiB)")
            }
            _ if self.store.as_ref().is_some_and(|(_, keep)| keep.age.is_zero()) => {
                wrong("store age", "longer than zero")
            }
            _ if self.in_flight.is_some_and(|requests| !(1..=64).contains(&requests)) => {
                wrong("in_flight", "from 1 to 64")
            }
            _ if self.own.metrics.flatten().is_some_and(|interval| interval.is_zero()) => {
                wrong("own_metrics", "longer than zero, or none")
            }
            _ if self.own.heartbeat_interval.is_zero() => wrong("heartbeat_interval", "longer than zero"),
            _ if self.request_timeout.is_some_and(|timeout| timeout.is_zero()) => {
                wrong("request_timeout", "longer than zero")
            }
            config if !is_wait(config.backoff) => wrong("backoff", WAITS),
            config if !is_wait(config.auth_backoff) => wrong("auth_backoff", WAITS),
            _ if self.tags.is_err() => wrong("tags", "what a line may have, each key once"),
            _ if self.fallbacks.recovery.is_zero() => wrong("recovery", "longer than zero"),
            _ if !self.fallbacks.is_empty() && matches!(self.target, Target::Own(_)) => {
                wrong("fallback", "left out over a transport of your own")
            }
            _ if self.trace_port == Some(0) => wrong("trace_port", "from 1 to 65535"),
            _ if self.histogram_port == Some(0) => wrong("histogram_port", "from 1 to 65535"),
            _ if !takes_anything(&self.limits) => wrong("limits", "at least 1, each of them but the numbers of tags"),
            _ if !self.is_source() => wrong("source", "what a line may have for a source, within the limits"),
            _ => Ok(()),
        }
    }

    /// Whether lines could have the source that was given. A blank one stands for the machine's name.
    fn is_source(&self) -> bool {
        let source = self.source.as_deref().filter(|source| !source.trim().is_empty());
        let Some(source) = source else { return true };
        let mut line = Vec::new();
        Metric::new("m", 0.0).source(source).encode(&Rules::new().limits(&self.limits), &mut line).is_ok()
    }
}

fn is_proxy(url: &str) -> bool {
    url.trim().split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("proxy"))
}

const WAITS: &str = "longer than zero, first and most";

const fn is_wait(backoff: Backoff) -> bool {
    !backoff.first.is_zero() && !backoff.most.is_zero()
}

/// Whether there is anything that the limits let pass.
fn takes_anything(limits: &Limits) -> bool {
    let Limits { metric_name, source, tag_key, tag, tags: _, span_name, span_tag_key, span_tags: _, .. } = *limits;
    let Limits { metric_line, histogram_line, trace_line, .. } = *limits;
    [metric_name, source, tag_key, tag, span_name, span_tag_key, metric_line, histogram_line, trace_line]
        .iter()
        .all(|&limit| limit > 0)
}

fn is_window(bytes: usize, duration: Duration) -> bool {
    let (most, longest) = (1 << 30, Duration::from_secs(60 * 60));
    (bytes == 0 && duration.is_zero())
        || ((Config::DEFAULT.segment_bytes..=most).contains(&bytes) && !duration.is_zero() && duration <= longest)
}

/// One connection a port, shared by the kinds that go there.
fn tcp_routes(
    endpoint: &Endpoint,
    kinds: KindSet,
    timeout: Option<Duration>,
    access: &Access,
) -> Result<Vec<Route>, BuildError> {
    let mut routes: Vec<(u16, Route)> = Vec::new();
    for kind in kinds.iter() {
        let Some(port) = endpoint.ports().of(kind) else { continue };
        if let Some((_, route)) = routes.iter_mut().find(|(known, _)| *known == port) {
            route.kinds = route.kinds.with(kind);
        } else {
            let mut tcp = access.tcp(endpoint, kind)?;
            if let Some(timeout) = timeout {
                tcp = tcp.write_timeout(timeout);
            }
            let carrier: Box<dyn Carry> = Box::new(tcp);
            routes.push((port, Route { kinds: kind.into(), carriers: std::vec![carrier] }));
        }
    }
    Ok(routes.into_iter().map(|(_, route)| route).collect())
}

#[cfg(feature = "http")]
fn http_routes(
    endpoint: &Endpoint,
    kinds: KindSet,
    in_flight: usize,
    timeout: Option<Duration>,
    (access, config, plain): (Access, &Config, bool),
) -> Result<Vec<Route>, BuildError> {
    let mut http = access.put_into(endpoint.http_builder(), config, plain)?;
    if let Some(timeout) = timeout {
        http = http.timeout(timeout).connect_timeout(timeout.min(Http::CONNECT_TIMEOUT));
    }
    let http = http.build().map_err(|error| match error {
        HttpBuildError::Tls(error) => BuildError::Tls(error),
        error => BuildError::Http(error),
    })?;
    let carriers = (0..in_flight).map(|_| Box::new(http.clone()) as Box<dyn Carry>).collect();
    Ok(std::vec![Route { kinds, carriers }])
}

#[cfg(not(feature = "http"))]
fn http_routes(
    _: &Endpoint,
    _: KindSet,
    _: usize,
    _: Option<Duration>,
    _: (Access, &Config, bool),
) -> Result<Vec<Route>, BuildError> {
    Err(EndpointError::NeedsHttp.into())
}

/// The machine's name, as the other SDKs of the family take it.
pub(super) fn host_name() -> Option<String> {
    gethostname::gethostname().into_string().ok().filter(|name| !name.trim().is_empty())
}

/// Different for each sender: the standard library's hash keys are random.
fn seed() -> u32 {
    use core::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish() as u32
}
