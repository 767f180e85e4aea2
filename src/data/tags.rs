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
    #[inline]
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.before.try_each(each)?;
        each(self.key, self.value)
    }
}

/// The pairs of an iterator, as [`Tags`].
///
/// ```
/// use wavefront_sdk::{Metric, data::each};
/// let labels = ["zone=a", "rack=7"];
/// let tags = each(labels.iter().filter_map(|label| label.split_once('=')));
/// let metric = Metric::new("cpu.load", 0.5).source("pump-3").tags(tags);
/// # #[cfg(feature = "std")]
/// assert_eq!(metric.line()?, "\"cpu.load\" 0.5 source=\"pump-3\" \"zone\"=\"a\" \"rack\"=\"7\"\n");
/// # Ok::<(), wavefront_sdk::InvalidInput>(())
/// ```
pub const fn each<I>(pairs: I) -> Each<I> {
    Each(pairs)
}

/// What [`each`] makes.
#[derive(Debug, Clone, Copy)]
pub struct Each<I>(I);

impl<K: AsRef<str>, V: AsRef<str>, I: Iterator<Item = (K, V)> + Clone> Tags for Each<I> {
    #[inline]
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.0.clone().try_for_each(|(key, value)| each(key.as_ref(), value.as_ref()))
    }
}

impl<T: Tags + ?Sized> Tags for &T {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        (**self).try_each(each)
    }
}

impl<T: Tags> Tags for Option<T> {
    #[inline]
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.as_ref().map_or(Ok(()), |tags| tags.try_each(each))
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Tags for [(K, V)] {
    #[inline]
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.iter().try_for_each(|(key, value)| each(key.as_ref(), value.as_ref()))
    }
}

impl<K: AsRef<str>, V: AsRef<str>, const N: usize> Tags for [(K, V); N] {
    #[inline]
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.as_slice().try_each(each)
    }
}

#[cfg(feature = "std")]
impl<K: AsRef<str>, V: AsRef<str>> Tags for std::vec::Vec<(K, V)> {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.as_slice().try_each(each)
    }
}

/// In the map's order: another one in every process.
#[cfg(feature = "std")]
impl<K: AsRef<str>, V: AsRef<str>, H> Tags for std::collections::HashMap<K, V, H> {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.iter().try_for_each(|(key, value)| each(key.as_ref(), value.as_ref()))
    }
}

#[cfg(feature = "std")]
impl<K: AsRef<str>, V: AsRef<str>> Tags for std::collections::BTreeMap<K, V> {
    fn try_each<E>(&self, each: &mut impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        self.iter().try_for_each(|(key, value)| each(key.as_ref(), value.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::ToOwned;
    use std::collections::{BTreeMap, HashMap};
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    fn pairs(tags: &impl Tags) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        let done: Result<(), ()> = tags.try_each(&mut |key, value| {
            pairs.push((key.to_owned(), value.to_owned()));
            Ok(())
        });
        assert_eq!(done, Ok(()));
        pairs
    }

    #[test]
    fn every_form_gives_its_pairs_in_order() {
        let expected = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
        let array = [("a", "1"), ("b", "2")];
        assert_eq!(pairs(&array), expected);
        assert_eq!(pairs(&array.as_slice()), expected);
        assert_eq!(pairs(&Some(&expected)), expected);
        assert_eq!(pairs(&Tagged::new(Tagged::new((), "a", "1"), "b", "2")), expected);
        assert_eq!(pairs(&each(array.iter().copied())), expected);
        assert_eq!(pairs(&array.to_vec()), expected);
        assert_eq!(pairs(&BTreeMap::from(array)), expected);
        assert_eq!(pairs(&HashMap::from([("a", "1")])), expected[..1]);
        assert_eq!(pairs(&()), []);
        assert_eq!(pairs(&None::<()>), []);
    }

    #[test]
    fn the_first_error_ends_the_walk() {
        let mut walked = 0;
        let error = Tagged::new([("a", "1"), ("b", "2")], "c", "3").try_each(&mut |key, _| {
            walked += 1;
            if key == "b" { Err("stop") } else { Ok(()) }
        });
        assert_eq!((error, walked), (Err("stop"), 2));
    }
}
