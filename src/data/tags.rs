//! Tags: pairs of a key and a value, in the caller's order, from whatever the caller has them in.

/// A list of pairs that can be walked any number of times.
///
/// Implemented for slices and arrays of pairs, `()` (none), iterators by [`each`], maps (with `std`), and what the
/// `tag` methods of the data types make.
pub trait Tags {
    /// Calls `each` once a pair, in order, until it fails.
    ///
    /// # Errors
    /// The first error of `each`.
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E>;
}

/// One pair after others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tagged<'a, T> {
    before: T,
    key: &'a str,
    value: &'a str,
}

impl<'a, T: Tags> Tagged<'a, T> {
    /// `before`, then the pair.
    pub const fn new(before: T, key: &'a str, value: &'a str) -> Self {
        Self { before, key, value }
    }
}

impl Tags for () {
    fn try_each<E>(&self, _: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        Ok(())
    }
}

impl<T: Tags> Tags for Tagged<'_, T> {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.before.try_each(each)?;
        each(self.key, self.value)
    }
}

impl<T: Tags + ?Sized> Tags for &T {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        (**self).try_each(each)
    }
}

impl<T: Tags> Tags for Option<T> {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.as_ref().map_or(Ok(()), |tags| tags.try_each(each))
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Tags for [(K, V)] {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.iter().try_for_each(|(key, value)| each(key.as_ref(), value.as_ref()))
    }
}

impl<K: AsRef<str>, V: AsRef<str>, const N: usize> Tags for [(K, V); N] {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.as_slice().try_each(each)
    }
}
