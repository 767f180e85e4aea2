//! What the lines of metrics, delta counters and histograms have in common: the source and the point tags.

use super::compact::SHORTCUTS;
use super::out::{Pair, Put, put_plain, put_tag};
use super::seen::{Seen, among};
use super::text::{Name, Text, fingerprint};
use super::{Limits, Rules};
use crate::{Field, InvalidInput, Problem, Tags};

impl Problem {
    /// This problem, of `field`.
    pub(crate) const fn of(self, field: Field) -> InvalidInput {
        InvalidInput::new(field, self)
    }
}

/// The source of a datum: its own, the default one where that is blank, else an error.
#[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
pub(crate) fn source<'a>(own: Option<&'a str>, rules: &Rules<'a>) -> Result<Text<'a>, InvalidInput> {
    let source = match own.map(|own| Text::new(own, Field::Source)) {
        Some(Ok(own)) => own,
        _ => rules
            .default_source
            .and_then(|default| Text::new(default, Field::Source).ok())
            .ok_or(InvalidInput::new(Field::Source, Problem::Missing))?,
    };
    source.check(rules.limits.source, Field::Source)?;
    Ok(source)
}

/// Writes the source of a datum between these two.
#[cfg_attr(not(any(target_os = "none", target_arch = "wasm32")), inline(always))]
pub(crate) fn put_source(
    own: Option<&str>,
    rules: &Rules<'_>,
    [before, after]: [&[u8]; 2],
    out: &mut (impl Put + ?Sized),
) -> Result<(), InvalidInput> {
    let given = own.or(rules.default_source);
    if given.is_none_or(|given| !put_plain(before, given, rules.limits.source, after, out)) {
        source(own, rules)?.put_between(before, after, out);
    }
    Ok(())
}

/// The point tags and the end of the line: ` "k"="v" "k"="v"` and LF.
#[inline]
pub(crate) fn put_tags<T: Tags + ?Sized>(
    tags: &T,
    limits: &Limits,
    out: &mut (impl Put + ?Sized),
) -> Result<(), InvalidInput> {
    let mut seen = OWN_KEYS;
    let mut count = 0;
    tags.try_each(&mut |key, value| {
        count += 1;
        if count > limits.tags {
            return Ok(());
        }
        let short = key.len() <= limits.tag_key && key.len() + value.len() <= limits.tag && !key.is_empty();
        let pair = if SHORTCUTS && short { put_tag(&mut seen, 0, key, value, out) } else { Pair::Odd };
        if pair == Pair::Written {
            return Ok(());
        }
        let fingerprint = put_odd_tag(key, value, limits, out)?;
        if (seen.may_have(fingerprint) || pair == Pair::Repeated) && is_among(tags, count - 1, key) {
            return Err(InvalidInput::new(Field::TagKey, Problem::RepeatedKey));
        }
        Ok(())
    })?;
    if count > limits.tags {
        return Err(InvalidInput::new(Field::Tags, Problem::TooMany { limit: limits.tags, count }));
    }
    out.put(b"\n");
    Ok(())
}

/// Checks any point tag and writes it. Returns the fingerprint of its key.
#[cold]
fn put_odd_tag(key: &str, value: &str, limits: &Limits, out: &mut (impl Put + ?Sized)) -> Result<u32, InvalidInput> {
    let name = Name::key(key, Field::TagKey)?;
    if matches!(key, "source" | "host") {
        return Err(InvalidInput::new(Field::TagKey, Problem::ReservedKey));
    }
    name.check(limits.tag_key, Field::TagKey)?;
    let text = Text::new(value, Field::TagValue)?;
    let renamed = as_read(key).len() - key.len();
    let (limit, len) = (limits.tag, name.units() + renamed + text.units());
    if len > limit {
        return Err(InvalidInput::new(Field::Tag, Problem::TooLong { limit, len }));
    }
    out.put(b" \"");
    name.put(out);
    out.put(b"\"=\"");
    text.put(out);
    out.put(b"\"");
    Ok(if key == as_read(key) { name.fingerprint() } else { fingerprint(as_read(key).as_bytes()) })
}

/// The reader takes the first two for the source, and the third goes by another name.
const OWN_KEYS: Seen = Seen::with(&["source", "host", "tag"]);

/// The key as the reader keeps it, but for the clean-up.
fn as_read(key: &str) -> &str {
    if key == "tag" { "_tag" } else { key }
}

/// Whether the reader keeps one of the first `count` keys as it keeps `key`.
#[cold]
fn is_among<T: Tags + ?Sized>(tags: &T, count: usize, key: &str) -> bool {
    let Ok(key) = Name::key(as_read(key), Field::TagKey) else { return false };
    among(tags, count, &|other, _| key.is_written_from(as_read(other)))
}
