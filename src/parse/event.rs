//! Events: `@Event start [end] name key=value…`

use super::{
    cursor::{Cursor, Token},
    error::{Fault, Part, Reason},
    tags::Pairs,
    text::Text,
    validate,
};

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
}

/// How many different keys with illegal characters are remembered. The reader takes any number of them, as long as each
/// occurs twice.
const REMEMBERED: usize = 100;

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
        let occurrences = Occurrences::new(self.pairs);
        self.pairs.filter(move |(key, _)| !is_reserved(key) && !occurrences.are_many(key))
    }

    /// Its dimensions: the pairs whose key stands in the line more than once, in the line's order. The validator does
    /// not look at their keys.
    pub fn dimensions(&self) -> impl Iterator<Item = (Text<'a>, Text<'a>)> + use<'a> {
        let occurrences = Occurrences::new(self.pairs);
        self.pairs.filter(move |(key, _)| !is_reserved(key) && occurrences.are_many(key))
    }
}

/// The size of the filter: 16 384 bits.
const WORDS: usize = 256;

/// Which keys occur once and which more often: a filter of hashes, and the line itself for the few it cannot tell.
struct Occurrences<'a> {
    pairs: Pairs<'a>,
    /// The hashes that more than one pair has.
    many: [u64; WORDS],
}

impl<'a> Occurrences<'a> {
    fn new(pairs: Pairs<'a>) -> Self {
        let (mut seen, mut many) = ([0_u64; WORDS], [0_u64; WORDS]);
        for (key, _) in pairs {
            let (word, bit) = Self::place(&key);
            if let (Some(seen), Some(many)) = (seen.get_mut(word), many.get_mut(word)) {
                *many |= *seen & bit;
                *seen |= bit;
            }
        }
        Self { pairs, many }
    }

    fn place(key: &Text<'_>) -> (usize, u64) {
        // FNV-1a, over characters.
        let hash = key.chars().fold(0x811C_9DC5_u32, |hash, c| (hash ^ u32::from(c)).wrapping_mul(0x0100_0193));
        let hash = (hash ^ hash >> 15) as usize;
        (hash / 64 % WORDS, 1 << (hash % 64))
    }

    fn are_many(&self, key: &Text<'_>) -> bool {
        let (word, bit) = Self::place(key);
        self.many.get(word).is_some_and(|many| many & bit != 0)
            && self.pairs.filter(|(other, _)| other == key).nth(1).is_some()
    }
}

fn is_reserved(key: &Text<'_>) -> bool {
    *key == HOST || *key == TAG || *key == EVENT_TAG
}

pub(super) fn read(mut cursor: Cursor<'_>) -> Result<Event<'_>, Fault> {
    let keyword = cursor.expect(Part::Keyword)?;
    if keyword.text != "@Event" {
        return Err(keyword.fault(Reason::WrongKeyword));
    }
    let next = cursor.peek()?.map_or(cursor.end(), |token| token.at);
    let start_time = cursor.timestamp(Part::Start)?.ok_or(Fault::new(next, Reason::Missing(Part::Start)))?;
    let end_time = cursor.timestamp(Part::End)?.unwrap_or(0);
    let name = cursor.next()?.map(|token| token.text);
    let first_pair = cursor;
    let mut illegal = Illegal::default();
    let (mut tags, mut event_tags) = (false, false);
    while let Some((key, _)) = cursor.pair()? {
        if !is_reserved(&key.text) {
            illegal.see(&key)?;
        }
        tags |= key.text == TAG;
        event_tags |= key.text == EVENT_TAG;
    }
    illegal.judge()?;
    let pairs = Pairs::new(first_pair, cursor.end());
    let tag_key = match (tags, event_tags) {
        (true, true) => stronger_tag(pairs),
        (_, false) => TAG,
        (false, true) => EVENT_TAG,
    };
    let end_time = if end_time > start_time { end_time } else { start_time + 1 };
    Ok(Event { name, start_time, end_time, pairs, tag_key })
}

/// The keys with illegal characters, and whether each was seen again: only the keys of annotations are checked, and a key
/// that occurs twice is none.
struct Illegal<'a> {
    keys: [Option<(Token<'a>, Fault, bool)>; REMEMBERED],
}

impl Default for Illegal<'_> {
    fn default() -> Self {
        Self { keys: [None; REMEMBERED] }
    }
}

impl<'a> Illegal<'a> {
    fn see(&mut self, key: &Token<'a>) -> Result<(), Fault> {
        let Err(fault) = validate::name(key, Part::AnnotationKey) else { return Ok(()) };
        for place in &mut self.keys {
            match place {
                Some((seen, _, again)) if seen.text == key.text => {
                    *again = true;
                    return Ok(());
                }
                Some(_) => {}
                None => {
                    *place = Some((*key, fault, false));
                    return Ok(());
                }
            }
        }
        let reason = Reason::TooMany { part: Part::AnnotationKeys, limit: REMEMBERED, count: REMEMBERED + 1 };
        Err(key.fault(reason))
    }

    fn judge(&self) -> Result<(), Fault> {
        match self.keys.iter().flatten().find(|(_, _, again)| !again) {
            Some((_, fault, _)) => Err(*fault),
            None => Ok(()),
        }
    }
}

/// Which of `tag` and `eventTag` wins where the line has both: the one that comes later in the reader's hash table, whose
/// size follows from how many different keys the line has. From 25 to 96 of them, `eventTag`.
fn stronger_tag(pairs: Pairs<'_>) -> &'static str {
    const MOST: usize = 97;
    let mut keys = [None; MOST];
    let mut known = 0;
    for (key, _) in pairs {
        let is_known = keys.iter().flatten().any(|other| *other == key);
        if !is_known {
            let Some(place) = keys.get_mut(known) else { break };
            *place = Some(key);
            known += 1;
        }
    }
    if (25..MOST).contains(&known) { EVENT_TAG } else { TAG }
}
