//! Events: `@Event start [end] name key=value…`

use super::{
    cursor::{Cursor, Token},
    error::{Fault, Part, Reason},
    repeat::{BATCH, Batch, ByTimes},
    tags::Pairs,
    text::Text,
    validate,
};
use crate::Limits;

/// An event.
///
/// The reader sorts the line's pairs by how often a key occurs, so it knows what a pair is only at the line's end:
/// `host` names [hosts](Self::hosts), `tag` (or `eventTag`) [tags](Self::tags), any other key that stands in the line
/// once is an [annotation](Self::annotations), and the rest are [dimensions](Self::dimensions).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Event<'a> {
    /// Its name; none where the line ends before it.
    pub name: Option<Text<'a>>,
    /// When it started, in milliseconds since 1970.
    pub start_time: i64,
    /// When it ended; one millisecond after its start where the line has no end, or none behind the start.
    pub end_time: i64,
    /// Every pair of the line.
    pub pairs: Pairs<'a>,
    /// The key whose values are the tags.
    tag_key: &'static str,
    given_end: Option<i64>,
}

/// How many bytes a pair takes at least: a key, `=` and a value, which may be another `=`.
const SHORTEST_PAIR: usize = 3;

const HOST: &str = "host";
const TAG: &str = "tag";
const EVENT_TAG: &str = "eventTag";

impl<'a> Event<'a> {
    /// The sources it is about, in the line's order.
    pub fn hosts(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
        self.pairs.filter(|(key, _)| *key == HOST).map(|(_, value)| value)
    }

    /// Its tags, in the line's order.
    pub fn tags(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
        let tag_key = self.tag_key;
        self.pairs.filter(move |(key, _)| *key == tag_key).map(|(_, value)| value)
    }

    /// Its annotations: the pairs whose key stands in the line once, in the line's order.
    pub fn annotations(&self) -> impl Iterator<Item = (Text<'a>, Text<'a>)> + use<'a> {
        ByTimes::new(self.pairs, false).filter(|(key, _)| !is_reserved(key))
    }

    /// Its dimensions: the pairs whose key stands in the line more than once, in the line's order. The validator does
    /// not look at their keys.
    pub fn dimensions(&self) -> impl Iterator<Item = (Text<'a>, Text<'a>)> + use<'a> {
        ByTimes::new(self.pairs, true).filter(|(key, _)| !is_reserved(key))
    }

    /// The end that the line gives, in milliseconds since 1970, whether it is behind the start and counts or not.
    pub const fn given_end(&self) -> Option<i64> {
        self.given_end
    }
}

fn is_reserved(key: &Text<'_>) -> bool {
    *key == HOST || *key == TAG || *key == EVENT_TAG
}

pub(super) fn read<'a>(mut cursor: Cursor<'a>, limits: &Limits) -> Result<Event<'a>, Fault> {
    let keyword = cursor.expect(Part::Keyword)?;
    if keyword.text != "@Event" {
        return Err(keyword.fault(Reason::WrongKeyword));
    }
    let next = cursor.peek()?.map_or(cursor.end(), |token| token.at);
    let start_time = cursor.timestamp(Part::Start)?.ok_or(Fault::new(next, Reason::Missing(Part::Start)))?;
    let given_end = cursor.timestamp(Part::End)?;
    let name = cursor.next()?.map(|token| token.text);
    let first_pair = cursor;
    let (mut tags, mut event_tags, mut illegal) = (false, false, false);
    let (mut count, limit) = (0, limits.metric_line / SHORTEST_PAIR);
    while let Some((key, _)) = cursor.pair()? {
        count += 1;
        if count > limit {
            return Err(key.fault(Reason::TooMany { part: Part::Pairs, limit, count }));
        }
        illegal |= fault(&key).is_some();
        tags |= key.text == TAG;
        event_tags |= key.text == EVENT_TAG;
    }
    let pairs = Pairs::new(first_pair, cursor.end());
    if illegal {
        judge(first_pair, pairs)?;
    }
    let tag_key = match (tags, event_tags) {
        (true, true) => stronger_tag(pairs),
        (_, false) => TAG,
        (false, true) => EVENT_TAG,
    };
    let end_time = given_end.filter(|end| *end > start_time).unwrap_or(start_time + 1);
    Ok(Event { name, start_time, end_time, pairs, tag_key, given_end })
}

/// What is wrong with a key, if it is an annotation's.
fn fault(key: &Token<'_>) -> Option<Fault> {
    if is_reserved(&key.text) { None } else { validate::name(key, Part::AnnotationKey).err() }
}

/// Whether each key with an illegal character is there twice: only the keys of annotations are checked, and a key that
/// is there twice is none.
fn judge<'a>(mut rest: Cursor<'a>, pairs: Pairs<'a>) -> Result<(), Fault> {
    loop {
        let here = rest;
        let mut batch = Batch::new();
        while batch.len() < BATCH {
            let Some((key, _)) = rest.pair()? else { break };
            if fault(&key).is_some() {
                batch.put(key.text);
            }
        }
        batch.count(pairs);
        if let Some(single) = batch.first_single() {
            let mut rest = here;
            while let Some((key, _)) = rest.pair()? {
                if let Some(fault) = fault(&key).filter(|_| key.text == single) {
                    return Err(fault);
                }
            }
        }
        if batch.len() < BATCH {
            return Ok(());
        }
    }
}

/// Which of `tag` and `eventTag` wins where the line has both: the one that comes later in the reader's hash table,
/// whose size follows from how many different keys the line has. From 25 to 96 of them, `eventTag`.
fn stronger_tag(pairs: Pairs<'_>) -> &'static str {
    const SMALL: usize = 25;
    const LARGE: usize = 97;
    let mut keys = Batch::new();
    for (key, _) in pairs {
        keys.put(key);
        if keys.len() == LARGE {
            break;
        }
    }
    if (SMALL..LARGE).contains(&keys.len()) { EVENT_TAG } else { TAG }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    extern crate std;
    use super::*;
    use crate::parse;
    use std::{format, string::String};

    fn read(line: &str) -> Result<Event<'_>, parse::ParseError> {
        parse::event(line, &Limits::DEFAULT)
    }

    #[test]
    fn the_end_counts_behind_the_start() {
        let times = |line| read(line).map(|event| (event.start_time, event.end_time, event.given_end())).unwrap();
        assert_eq!(times("@Event 1552949776000 e"), (1_552_949_776_000, 1_552_949_776_001, None));
        assert_eq!(times("@Event 2 2 e"), (2_000, 2_001, Some(2_000)));
        assert_eq!(times("@Event 2 3 e"), (2_000, 3_000, Some(3_000)));
    }

    #[test]
    fn any_number_of_illegal_keys_is_fine_if_each_is_there_twice() {
        let keys = |from, to| -> String { (from..to).map(|key| format!(" k@{key}=v")).collect() };
        for most in [1, 99, 100, 101, BATCH, BATCH + 1, 500] {
            let twice = format!("@Event 1 e host=a{}{}", keys(0, most), keys(0, most));
            let event = read(&twice).unwrap();
            assert_eq!((event.annotations().count(), event.dimensions().count()), (0, 2 * most));
            let one_once = format!("@Event 1 e host=a{}{}", keys(0, most), keys(0, most - 1));
            let error = read(&one_once).unwrap_err();
            assert_eq!(error.reason, Reason::IllegalCharacter(Part::AnnotationKey));
            let single = format!("k@{}", most - 1);
            assert_eq!(error.column, one_once.find(&single).unwrap() + 2, "at the @ of {single}");
        }
    }

    #[test]
    fn no_more_pairs_than_a_line_has_room_for() {
        let line = |pairs: usize| String::from("@Event 1 e ") + &"a==".repeat(pairs);
        let limit = Limits::DEFAULT.metric_line / SHORTEST_PAIR;
        assert_eq!(read(&line(limit)).unwrap().dimensions().count(), limit);
        let reason = Reason::TooMany { part: Part::Pairs, limit, count: limit + 1 };
        assert_eq!(read(&line(limit + 1)).unwrap_err().reason, reason);
    }
}
