//! The strings of a call.

use alloc::string::String;

use wavefront_sdk::Tags;

/// Strings that stand behind one another.
#[derive(Clone, Copy)]
pub(crate) struct Strings<'a> {
    text: &'a str,
    lengths: &'a [u32],
}

impl<'a> Strings<'a> {
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

    /// The next `count`, or all that there are.
    pub(crate) fn take(&mut self, count: usize) -> impl Iterator<Item = &'a str> {
        (0..count.min(self.lengths.len())).map(|_| self.next())
    }

    /// The next ones, two by two; what is odd at the end is left out.
    pub(crate) fn pairs(mut self) -> impl Iterator<Item = (&'a str, &'a str)> {
        (0..self.lengths.len() / 2).map(move |_| (self.next(), self.next()))
    }
}

/// The tags of a datum, then those of the sender that it does not have itself.
pub(crate) struct Merged<'a> {
    pub(crate) own: Strings<'a>,
    pub(crate) common: &'a [(String, String)],
}

impl Tags for Merged<'_> {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.own.pairs().try_for_each(|(key, value)| each(key, value))?;
        let mut more = self.common.iter().filter(|(common, _)| !self.own.pairs().any(|(key, _)| key == common));
        more.try_for_each(|(key, value)| each(key, value))
    }
}
