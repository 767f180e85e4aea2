//! What is known of a source: its tags and its description.

/// What to do with the tags of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TagAction {
    /// Adds them.
    Add,
    /// Replaces those it has.
    Save,
    /// Takes them away.
    Delete,
}

/// What to do with the description of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DescriptionAction {
    /// Sets it.
    Save,
    /// Takes it away.
    Delete,
}

/// Tags of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceTag<'a> {
    /// What to do.
    pub action: TagAction,
    /// The source; the default source if none or blank.
    pub source: Option<&'a str>,
    /// The tags: at least one. What is not legal in a key becomes a `-`.
    pub tags: &'a [&'a str],
}

/// The description of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceDescription<'a> {
    /// What to do.
    pub action: DescriptionAction,
    /// The source; the default source if none or blank.
    pub source: Option<&'a str>,
    /// The text; may be blank only where it is taken away.
    pub description: &'a str,
}

impl<'a> SourceTag<'a> {
    /// Does `action` with `tags`.
    pub const fn new(action: TagAction, tags: &'a [&'a str]) -> Self {
        Self { action, source: None, tags }
    }

    /// The source.
    #[must_use]
    pub const fn source(mut self, source: &'a str) -> Self {
        self.source = Some(source);
        self
    }
}

impl<'a> SourceDescription<'a> {
    /// Sets the description to `description`.
    pub const fn save(description: &'a str) -> Self {
        Self { action: DescriptionAction::Save, source: None, description }
    }

    /// Takes the description away.
    pub const fn delete() -> Self {
        Self { action: DescriptionAction::Delete, source: None, description: "" }
    }

    /// The source.
    #[must_use]
    pub const fn source(mut self, source: &'a str) -> Self {
        self.source = Some(source);
        self
    }
}
