//! What application and service data come from: the application tags of the SDKs of the family, and their heartbeat.

#[cfg(feature = "alloc")]
use alloc::string::{String, ToString};
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use super::{Metric, Tags};

/// The tags of an application: `application` and `service`, `cluster` and `shard` (`none` where they are not given),
/// then tags of your own. The service finds an application's data by them.
///
/// They are [`Tags`], so metrics, histograms and spans take them as they are, and further ones after them.
///
/// ```
/// use wavefront_sdk::{ApplicationTags, Metric};
/// let ordering = ApplicationTags::new("ordering", "inventory").cluster("us-west-2").custom([("location", "Oregon")]);
/// let stock = Metric::new("inventory.stock", 17.0).source("host-1").tags(&ordering).tag("shelf", "7");
/// # #[cfg(feature = "std")]
/// assert_eq!(
///     stock.line()?,
///     "\"inventory.stock\" 17.0 source=\"host-1\" \"application\"=\"ordering\" \"service\"=\"inventory\" \
///      \"cluster\"=\"us-west-2\" \"shard\"=\"none\" \"location\"=\"Oregon\" \"shelf\"=\"7\"\n"
/// );
/// # Ok::<(), wavefront_sdk::InvalidInput>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApplicationTags<S, C = ()> {
    application: S,
    service: S,
    cluster: Option<S>,
    shard: Option<S>,
    custom: C,
}

/// [`ApplicationTags`] that borrow nothing.
#[cfg(feature = "alloc")]
pub type OwnedApplicationTags = ApplicationTags<String, Vec<(String, String)>>;

/// What stands for a cluster or shard that is not given.
const NONE: &str = "none";
/// The name of a heartbeat, to the service.
const HEARTBEAT: &str = "~component.heartbeat";

impl<S> ApplicationTags<S> {
    /// The name of the application, which all its services share, and that of the service. Where one of them is blank,
    /// data with these tags are errors.
    pub const fn new(application: S, service: S) -> Self {
        Self { application, service, cluster: None, shard: None, custom: () }
    }
}

impl<S, C> ApplicationTags<S, C> {
    /// The group of hosts it runs on, such as a region.
    #[must_use]
    pub fn cluster(mut self, cluster: S) -> Self {
        self.cluster = Some(cluster);
        self
    }

    /// The part of the cluster, such as a mirror.
    #[must_use]
    pub fn shard(mut self, shard: S) -> Self {
        self.shard = Some(shard);
        self
    }

    /// These tags of your own instead of those it has.
    #[must_use]
    pub fn custom<D: Tags>(self, custom: D) -> ApplicationTags<S, D> {
        let Self { application, service, cluster, shard, .. } = self;
        ApplicationTags { application, service, cluster, shard, custom }
    }
}

impl<S: AsRef<str>, C: Tags> ApplicationTags<S, C> {
    /// The heartbeat of a component of the service, to be sent every five minutes: `~component.heartbeat` 1, with the
    /// tags `application`, `cluster`, `service`, `shard` and `component`, then those of your own.
    /// `SenderBuilder::heartbeat` does it.
    pub const fn heartbeat<'a>(&'a self, component: &'a str) -> Metric<'a, Heartbeat<'a, S, C>> {
        let Metric { name, value, timestamp, source, .. } = Metric::new(HEARTBEAT, 1.0);
        Metric { name, value, timestamp, source, tags: Heartbeat { tags: self, component } }
    }

    fn cluster_or_none(&self) -> &str {
        given(self.cluster.as_ref())
    }

    fn shard_or_none(&self) -> &str {
        given(self.shard.as_ref())
    }

    /// The same, borrowing nothing.
    #[cfg(feature = "alloc")]
    pub fn to_owned_tags(&self) -> OwnedApplicationTags {
        let text = |text: &S| text.as_ref().to_string();
        let mut custom = Vec::new();
        let Ok(()) = self.custom.try_each::<core::convert::Infallible>(&mut |key, value| {
            custom.push((key.to_string(), value.to_string()));
            Ok(())
        });
        ApplicationTags {
            application: text(&self.application),
            service: text(&self.service),
            cluster: self.cluster.as_ref().map(text),
            shard: self.shard.as_ref().map(text),
            custom,
        }
    }
}

fn given<S: AsRef<str>>(text: Option<&S>) -> &str {
    text.map(S::as_ref).filter(|text| !text.trim().is_empty()).unwrap_or(NONE)
}

impl<S: AsRef<str>, C: Tags> Tags for ApplicationTags<S, C> {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        each("application", self.application.as_ref())?;
        each("service", self.service.as_ref())?;
        each("cluster", self.cluster_or_none())?;
        each("shard", self.shard_or_none())?;
        self.custom.try_each(each)
    }
}

/// The tags of a [heartbeat](ApplicationTags::heartbeat).
#[derive(Debug, Clone, Copy)]
pub struct Heartbeat<'a, S, C> {
    tags: &'a ApplicationTags<S, C>,
    component: &'a str,
}

impl<S: AsRef<str>, C: Tags> Tags for Heartbeat<'_, S, C> {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        each("application", self.tags.application.as_ref())?;
        each("cluster", self.tags.cluster_or_none())?;
        each("service", self.tags.service.as_ref())?;
        each("shard", self.tags.shard_or_none())?;
        each("component", self.component)?;
        self.tags.custom.try_each(each)
    }
}

/// From the environment.
#[cfg(feature = "std")]
impl OwnedApplicationTags {
    /// What the environment says, in the variables that the family's starter for Spring Boot reads (its properties
    /// `wavefront.application.name`, `.service`, `.cluster` and `.shard`):
    ///
    /// | variable | tag | |
    /// |---|---|---|
    /// | `WAVEFRONT_APPLICATION_NAME` | `application` | required |
    /// | `WAVEFRONT_APPLICATION_SERVICE` | `service` | required |
    /// | `WAVEFRONT_APPLICATION_CLUSTER` | `cluster` | |
    /// | `WAVEFRONT_APPLICATION_SHARD` | `shard` | |
    ///
    /// # Errors
    /// [`MissingVariable`] where a required one is not set, or blank.
    pub fn from_env() -> Result<Self, MissingVariable> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// As [`from_env`](Self::from_env), with what `variable` knows for an environment.
    ///
    /// # Errors
    /// As there.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, MissingVariable> {
        let given = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let required = |name| given(name).ok_or(MissingVariable { name });
        Ok(Self {
            application: required("WAVEFRONT_APPLICATION_NAME")?,
            service: required("WAVEFRONT_APPLICATION_SERVICE")?,
            cluster: given("WAVEFRONT_APPLICATION_CLUSTER"),
            shard: given("WAVEFRONT_APPLICATION_SHARD"),
            custom: Vec::new(),
        })
    }

    /// One more tag of your own, from an environment variable; none where that is not set or blank. (`tagFromEnv` of
    /// the SDK for Java, `add_custom_tag_from_env` of that for Python.)
    #[must_use]
    pub fn tag_from_env(mut self, variable: &str, key: &str) -> Self {
        let value = std::env::var(variable).ok().filter(|value| !value.trim().is_empty());
        self.custom.extend(value.map(|value| (key.to_string(), value)));
        self
    }

    /// One more tag of your own for each environment variable whose name `takes` likes and that is not blank, with the
    /// name for a key. (`tagsFromEnv`, `add_custom_tags_from_env`.)
    #[must_use]
    pub fn tags_from_env(mut self, takes: impl Fn(&str) -> bool) -> Self {
        let texts =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        self.custom.extend(texts.filter(|(name, value)| takes(name) && !value.trim().is_empty()));
        self
    }
}

/// An environment without a variable that is required.
#[cfg(feature = "std")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingVariable {
    /// Its name.
    pub name: &'static str,
}

#[cfg(feature = "std")]
impl core::fmt::Display for MissingVariable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the environment variable {} is not set: application tags need it", self.name)
    }
}

#[cfg(feature = "std")]
impl core::error::Error for MissingVariable {}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::{Encode, Field, Histogram, Rules, Span, Uuid};

    fn line(datum: &impl Encode) -> String {
        let mut line = std::vec::Vec::new();
        datum.encode(&Rules::new().default_source("s"), &mut line).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn every_kind_with_tags_takes_them() {
        let tags = ApplicationTags::new("a", "b").shard("d").custom([("k", "v")]);
        let text = "\"application\"=\"a\" \"service\"=\"b\" \"cluster\"=\"none\" \"shard\"=\"d\" \"k\"=\"v\"";
        assert!(line(&Metric::new("m", 1.0).tags(tags)).contains(text));
        assert!(line(&Histogram::new("h", &[(1.0, 1)]).tags(tags)).contains(text));
        let span = Span::new("s", 0, 1, Uuid::from_u128(1), Uuid::from_u128(2)).tags(&tags).tag("error", "true");
        assert!(line(&span).contains(&[text, " \"error\"=\"true\""].concat()));
    }

    #[test]
    fn a_heartbeat_has_all_tags_in_the_family_s_order() {
        let tags = ApplicationTags::new("a", "b").cluster(" ").custom([("k", "v")]);
        assert_eq!(
            line(&tags.heartbeat("wavefront-generated")),
            "\"~component.heartbeat\" 1.0 source=\"s\" \"application\"=\"a\" \"cluster\"=\"none\" \"service\"=\"b\" \
             \"shard\"=\"none\" \"component\"=\"wavefront-generated\" \"k\"=\"v\"\n"
        );
        assert_eq!(line(&tags.to_owned_tags().heartbeat("c")), line(&tags.heartbeat("c")));
    }

    #[test]
    fn application_and_service_are_required() {
        for tags in [ApplicationTags::new("", "b"), ApplicationTags::new("a", " ")] {
            let error = Metric::new("m", 1.0).source("s").tags(tags).line().unwrap_err();
            assert_eq!(error.field, Field::TagValue);
        }
    }

    #[cfg(feature = "std")]
    #[test]
    fn the_environment_s_names_are_those_of_the_family() {
        let all = [("NAME", "a"), ("SERVICE", "b"), ("CLUSTER", "c"), ("SHARD", "d")];
        let environment = |without: usize| {
            OwnedApplicationTags::from_variables(|name| {
                let short = name.strip_prefix("WAVEFRONT_APPLICATION_")?;
                let (at, pair) = all.iter().enumerate().find(|(_, (known, _))| *known == short)?;
                Some(if at == without { " " } else { pair.1 }.to_string())
            })
        };
        let given = ApplicationTags::new("a", "b").cluster("c").shard("d").to_owned_tags();
        assert_eq!(environment(9), Ok(given.clone()));
        assert_eq!(environment(0), Err(MissingVariable { name: "WAVEFRONT_APPLICATION_NAME" }));
        assert_eq!(environment(1), Err(MissingVariable { name: "WAVEFRONT_APPLICATION_SERVICE" }));
        assert_eq!(environment(3), Ok(ApplicationTags::new("a", "b").cluster("c").to_owned_tags()));

        // Cargo sets it for tests.
        let with = given.tag_from_env("CARGO_PKG_NAME", "package").tag_from_env("NOT_SET_ANYWHERE", "x");
        assert_eq!(with.custom, [("package".to_string(), env!("CARGO_PKG_NAME").to_string())]);
        let with = with.tags_from_env(|name| name == "CARGO_PKG_VERSION");
        assert_eq!(with.custom[1], ("CARGO_PKG_VERSION".to_string(), env!("CARGO_PKG_VERSION").to_string()));
    }
}
