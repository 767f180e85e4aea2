//! The strings of a call.

use alloc::string::String;
use alloc::vec::Vec;

use wavefront_sdk::Tags;

/// Strings that stand behind one another.
#[derive(Clone, Copy)]
pub(crate) struct Strings<'a> {
    text: &'a str,
    lengths: &'a [u32],
}

impl<'a> Strings<'a> {
    /// None.
    pub(crate) const NONE: Self = Self { text: "", lengths: &[] };

    /// As many strings as there are lengths, at the beginning of `text`; none if that is not what is there.
    pub(crate) fn new(text: &'a [u8], lengths: &'a [u32]) -> Option<Self> {
        let len = lengths.iter().try_fold(0, |sum: usize, len| sum.checked_add(*len as usize))?;
        Some(Self { text: core::str::from_utf8(text.get(..len)?).ok()?, lengths })
    }

    /// The next one; empty behind the last.
    pub(crate) fn next(&mut self) -> &'a str {
        let Some((len, lengths)) = self.lengths.split_first() else { return "" };
        let (next, text) = self.text.split_at_checked(*len as usize).unwrap_or((self.text, ""));
        *self = Self { text, lengths };
        next
    }

    /// The next one; none if it is empty.
    pub(crate) fn given(&mut self) -> Option<&'a str> {
        Some(self.next()).filter(|text| !text.is_empty())
    }

    /// Of `count`, as many as there are.
    pub(crate) fn at_most(&self, count: f64) -> usize {
        // A cast of a double ends at the bounds, and makes 0 of NaN.
        (count as usize).min(self.lengths.len())
    }

    /// The next two; none where there is not more than one. What is odd at the end is left out.
    pub(crate) fn pair(&mut self) -> Option<(&'a str, &'a str)> {
        (self.lengths.len() > 1).then(|| (self.next(), self.next()))
    }
}

/// Strings that are kept.
#[derive(Default)]
pub(crate) struct Kept {
    text: String,
    lengths: Vec<u32>,
}

impl Kept {
    pub(crate) fn strings(&self) -> Strings<'_> {
        Strings { text: &self.text, lengths: &self.lengths }
    }
}

impl From<Strings<'_>> for Kept {
    fn from(strings: Strings<'_>) -> Self {
        Self { text: strings.text.into(), lengths: strings.lengths.into() }
    }
}

/// The tags of a datum, then those of the sender that it does not have itself.
#[derive(Clone, Copy)]
pub(crate) struct Merged<'a> {
    pub(crate) own: Strings<'a>,
    pub(crate) common: Strings<'a>,
}

impl Merged<'_> {
    fn has(&self, key: &str) -> bool {
        let mut own = self.own;
        while let Some((other, _)) = own.pair() {
            if other == key {
                return true;
            }
        }
        false
    }
}

impl Tags for Merged<'_> {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        let Self { mut own, mut common } = *self;
        loop {
            let first = own.pair();
            let Some((key, value)) = first.or_else(|| common.pair()) else { return Ok(()) };
            if first.is_some() || !self.has(key) {
                each(key, value)?;
            }
        }
    }
}
