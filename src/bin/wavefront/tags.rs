//! The tags of the command line: added to every record that has no tag of that key.

use wavefront_sdk::{InvalidInput, Metric, Tags};

use crate::json::Text;

/// Tags that every JSON record of a metric, delta, histogram or span gets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Added(Vec<Tag>);

#[derive(Debug, Clone)]
struct Tag {
    key: String,
    value: String,
    /// The key as it is written in a line.
    cleaned: String,
}

impl Added {
    /// Reads `KEY=VALUE` arguments.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut tags = Vec::new();
        for argument in arguments {
            let Some((key, value)) = argument.split_once('=') else {
                return Err(format!("--tag {argument:?} has no '=': give KEY=VALUE, such as --tag env=prod"));
            };
            let cleaned = cleaned(key, value).map_err(|invalid| format!("--tag {argument:?}: {invalid}"))?;
            if tags.iter().any(|tag: &Tag| tag.cleaned == cleaned) {
                return Err(format!("--tag {key:?} is given twice: a point has one value a tag"));
            }
            tags.push(Tag { key: key.to_owned(), value: value.to_owned(), cleaned });
        }
        Ok(Self(tags))
    }

    /// Reads `KEY=VALUE` arguments; where there are none, what `WAVEFRONT_TAGS` says, with commas between them.
    pub(crate) fn parse_or_environment(arguments: &[String]) -> Result<Self, String> {
        match std::env::var_os("WAVEFRONT_TAGS") {
            Some(tags) if arguments.is_empty() => {
                let tags = tags.into_string().map_err(|_| "WAVEFRONT_TAGS: its value is not Unicode")?;
                let tags = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned);
                Self::parse(&tags.collect::<Vec<_>>()).map_err(|error| error.replace("--tag", "WAVEFRONT_TAGS:"))
            }
            _ => Self::parse(arguments),
        }
    }

    /// A record's own tags, then those of the command line whose key it does not have.
    pub(crate) fn to<'r>(&'r self, own: &'r [(Text<'r>, Text<'r>)]) -> impl Tags {
        let missing: Vec<&Tag> = self.0.iter().filter(|tag| !own.iter().any(|(key, _)| tag.is(key.as_ref()))).collect();
        Both { own, missing }
    }

    /// All of them, for a datum without tags of its own.
    pub(crate) fn alone(&self) -> impl Tags {
        self.to(&[])
    }
}

impl Tag {
    /// Whether `key` is this key after clean-up.
    fn is(&self, key: &str) -> bool {
        key == self.cleaned || key == self.key || {
            // Only a key with characters that are replaced becomes another one.
            let as_it_is = |byte| matches!(byte, b','..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_');
            !key.bytes().all(as_it_is) && cleaned(key, "v").is_ok_and(|key| key == self.cleaned)
        }
    }
}

struct Both<'a> {
    own: &'a [(Text<'a>, Text<'a>)],
    missing: Vec<&'a Tag>,
}

impl Tags for Both<'_> {
    #[inline]
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.own.try_each(each)?;
        self.missing.iter().try_for_each(|tag| each(&tag.key, &tag.value))
    }
}

/// The key as the encoder writes it.
fn cleaned(key: &str, value: &str) -> Result<String, InvalidInput> {
    let line = Metric::new("m", 1.0).source("s").tag(key, value).line()?;
    let tag = line.split_once("source=\"s\" \"").map_or("", |(_, tag)| tag);
    Ok(tag.split_once('"').map_or("", |(key, _)| key).to_owned())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn together(added: &[&str], own: &[(&str, &str)]) -> String {
        let added: Vec<String> = added.iter().map(|&tag| tag.to_owned()).collect();
        let text = |text| Text(Cow::Borrowed(text));
        let own: Vec<_> = own.iter().map(|(key, value)| (text(*key), text(*value))).collect();
        let added = Added::parse(&added).unwrap();
        Metric::new("m", 1.0).source("s").tags(added.to(&own)).line().unwrap()
    }

    #[test]
    fn the_records_own_tag_wins() {
        assert_eq!(together(&["a=1", "b=2"], &[]), "\"m\" 1.0 source=\"s\" \"a\"=\"1\" \"b\"=\"2\"\n");
        assert_eq!(together(&["a=1"], &[("b", "2")]), "\"m\" 1.0 source=\"s\" \"b\"=\"2\" \"a\"=\"1\"\n");
        assert_eq!(together(&["a=1"], &[("a", "2")]), "\"m\" 1.0 source=\"s\" \"a\"=\"2\"\n");
        assert_eq!(together(&["a b=1"], &[("a-b", "2")]), "\"m\" 1.0 source=\"s\" \"a-b\"=\"2\"\n");
        assert_eq!(together(&["a-b=1"], &[("a b", "2")]), "\"m\" 1.0 source=\"s\" \"a-b\"=\"2\"\n");
        assert_eq!(together(&["a=1=2"], &[]), "\"m\" 1.0 source=\"s\" \"a\"=\"1=2\"\n");
    }

    #[test]
    fn wrong_tags_are_told() {
        for wrong in [&["a"][..], &["=v"], &["a="], &["source=x"], &["host=x"], &["a b=1", "a-b=2"]] {
            let wrong: Vec<String> = wrong.iter().map(|&tag| tag.to_owned()).collect();
            assert!(Added::parse(&wrong).unwrap_err().starts_with("--tag "));
        }
    }
}
