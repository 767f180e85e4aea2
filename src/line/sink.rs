//! Where the bytes of a line go.

/// A place that lines are written to.
///
/// A sink can be taken back to a [mark](Sink::mark): an encoder that fails half-way leaves it as it was.
pub trait Sink {
    /// What a sink says when it has no room; [`Infallible`](core::convert::Infallible) where it always has.
    type Full;
    /// A place to come back to.
    type Mark: Copy;

    /// Appends `bytes`, all of them or none.
    ///
    /// # Errors
    /// When there is no room for all of them.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Self::Full>;

    /// The present end.
    fn mark(&self) -> Self::Mark;

    /// Forgets everything that was put since `mark`.
    fn rewind(&mut self, mark: Self::Mark);

    /// How many bytes were put since `mark`.
    fn since(&self, mark: Self::Mark) -> usize;
}
