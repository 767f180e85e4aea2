//! The tags of a line: pairs as they stand there, and what the reader keeps of them.

use core::fmt;

use super::{
    cursor::{Cursor, Token},
    error::{Fault, Part, Reason},
    text::Text,
    validate,
};
use crate::Limits;

/// Pairs of key and value as they stand in the line, in its order, every one.
#[derive(Clone, Copy)]
pub struct Pairs<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Pairs<'a> {
    /// The pairs between two places of a line that was read without a fault.
    pub(super) fn new(start: Cursor<'a>, end: usize) -> Self {
        Self { cursor: start.up_to(end) }
    }

    /// All there are from here on, where the text was read without a fault.
    pub(super) const fn all(cursor: Cursor<'a>) -> Self {
        Self { cursor }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Text<'a>, Text<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.cursor.pair().ok()??;
        Some((key.text, value.text))
    }
}

impl core::iter::FusedIterator for Pairs<'_> {}

impl fmt::Debug for Pairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(*self).finish()
    }
}

/// The tags of a point or a histogram: a map, in which the last of a repeated key wins.
///
/// What the reader makes of the line's pairs: `source` and `host` are taken out, the last `source` being the source, or
/// the last `host` where there is none; a `host` beside a `source` becomes the tag `_host`, and `tag` becomes `_tag`.
#[derive(Clone, Copy)]
pub struct Tags<'a> {
    pairs: Pairs<'a>,
    /// The `host` of a line that has a `source` too.
    host: Option<Text<'a>>,
}

impl<'a> Tags<'a> {
    /// What the reader makes of these pairs, of which the source was read; `host` if there is one beside it.
    pub(super) const fn new(pairs: Pairs<'a>, host: Option<Text<'a>>) -> Self {
        Self { pairs, host }
    }

    /// The map, in the order in which its values stand in the line; `_host`, if the reader made it, is last.
    ///
    /// Takes time in proportion to the line's length times the number of different keys, of which there are at most
    /// as many as [`Limits::tags`] says.
    pub const fn iter(&self) -> TagsIter<'a> {
        TagsIter { all: self.all() }
    }

    /// Every pair that the reader puts into the map, overwritten ones too, in the line's order.
    pub const fn all(&self) -> AllTags<'a> {
        AllTags { pairs: self.pairs, host: self.host }
    }

    /// Every pair of the line as it stands there, `source` and `host` too.
    pub const fn pairs(&self) -> Pairs<'a> {
        self.pairs
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<Text<'a>> {
        self.all().filter(|(name, _)| *name == *key).last().map(|(_, value)| value)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }
}

impl<'a> IntoIterator for &Tags<'a> {
    type Item = (Text<'a>, Text<'a>);
    type IntoIter = TagsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for Tags<'a> {
    type Item = (Text<'a>, Text<'a>);
    type IntoIter = TagsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Tags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

/// Every pair of [`Tags`], overwritten ones too.
#[derive(Debug, Clone)]
pub struct AllTags<'a> {
    pairs: Pairs<'a>,
    host: Option<Text<'a>>,
}

impl<'a> Iterator for AllTags<'a> {
    type Item = (Text<'a>, Text<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        for (key, value) in self.pairs.by_ref() {
            match Own::of(&key) {
                Some(Own::Source | Own::Host) => {}
                Some(Own::Tag) => return Some((Text::plain("_tag"), value)),
                None => return Some((key, value)),
            }
        }
        self.host.take().map(|host| (Text::plain("_host"), host))
    }
}

impl core::iter::FusedIterator for AllTags<'_> {}

/// The tags of a point or a histogram, one of each key.
#[derive(Debug, Clone)]
pub struct TagsIter<'a> {
    all: AllTags<'a>,
}

impl<'a> Iterator for TagsIter<'a> {
    type Item = (Text<'a>, Text<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (key, value) = self.all.next()?;
            // To the next of the same key: so all of one key together cost one pass.
            if !self.all.clone().any(|(later, _)| later == key) {
                return Some((key, value));
            }
        }
    }
}

impl core::iter::FusedIterator for TagsIter<'_> {}

/// A key that is not kept as it is: of the source, or kept under another name.
enum Own {
    Source,
    Host,
    Tag,
}

impl Own {
    fn of(key: &Text<'_>) -> Option<Self> {
        match key.as_str() {
            Some("source") => Some(Self::Source),
            Some("host") => Some(Self::Host),
            Some("tag") => Some(Self::Tag),
            Some(_) => None,
            // Rarely: with an escape in it.
            None if *key == "source" => Some(Self::Source),
            None if *key == "host" => Some(Self::Host),
            None if *key == "tag" => Some(Self::Tag),
            None => None,
        }
    }
}

/// Reads and checks the tags of a point or a histogram, up to the line's end, and what they say of its source.
pub(super) fn read<'a>(cursor: &mut Cursor<'a>, limits: &Limits) -> Result<(Option<Text<'a>>, Tags<'a>), Fault> {
    let start = *cursor;
    let (mut source, mut host) = (None, None);
    let mut count = 0;
    while let Some((key, value)) = cursor.pair()? {
        match Own::of(&key.text) {
            Some(Own::Source) => source = Some(value),
            Some(Own::Host) => host = Some(value),
            Some(Own::Tag) => {
                count += 1;
                check(&key, Some("_tag"), &value, count, limits)?;
            }
            None => {
                count += 1;
                check(&key, None, &value, count, limits)?;
            }
        }
    }
    if let (Some(_), Some(host)) = (source, host) {
        check(&host, Some("_host"), &host, count + 1, limits)?;
    }
    let moved = source.and(host).map(|host| host.text);
    let source = source.or(host);
    if let Some(source) = &source {
        validate::not_blank(source, Part::Source)?;
        validate::length(source, Part::Source, limits.source)?;
    }
    Ok((source.map(|source| source.text), Tags::new(Pairs::new(start, cursor.end()), moved)))
}

/// Checks the pair that is the `count`th; `kept` is the key it is kept under, if that is another one.
fn check(key: &Token<'_>, kept: Option<&str>, value: &Token<'_>, count: usize, limits: &Limits) -> Result<(), Fault> {
    if count > limits.tags {
        return Err(key.fault(Reason::TooMany { part: Part::Tags, limit: limits.tags, count }));
    }
    let kept_text = kept.map_or(key.text, Text::plain);
    if kept_text.as_raw().len() + value.text.as_raw().len() > limits.tag {
        let len = kept_text.len_utf16() + value.text.len_utf16();
        if len > limits.tag {
            return Err(key.fault(Reason::TooLong { part: Part::Tag, limit: limits.tag, len }));
        }
    }
    if kept.is_none() {
        validate::length(key, Part::TagKey, limits.tag_key)?;
        validate::name(key, Part::TagKey)?;
    }
    validate::not_blank(value, Part::TagValue)
}
