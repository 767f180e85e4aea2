//! Tags and descriptions of sources: `@SourceTag action=save source=s tag…`

use core::fmt;

use super::{
    cursor::{Cursor, Token},
    error::{Fault, Part, Reason},
    text::Text,
    validate,
};
use crate::{DescriptionAction, TagAction};

/// Tags of a source.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SourceTag<'a> {
    /// What to do with them.
    pub action: TagAction,
    /// The source.
    pub source: Text<'a>,
    /// The tags: at least one.
    pub tags: Texts<'a>,
}

/// The description of a source.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SourceDescription<'a> {
    /// What to do with it; the reader takes `add` for `save`.
    pub action: DescriptionAction,
    /// The source.
    pub source: Text<'a>,
    /// The text: always there, but where the description is taken away.
    pub description: Option<Text<'a>>,
}

/// Tokens up to the end of the line.
#[derive(Clone, Copy)]
pub struct Texts<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Iterator for Texts<'a> {
    type Item = Text<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.cursor.next().ok()??.text)
    }
}

impl core::iter::FusedIterator for Texts<'_> {}

impl fmt::Debug for Texts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

pub(super) fn read_tag(mut cursor: Cursor<'_>) -> Result<SourceTag<'_>, Fault> {
    let (action, source) = head(&mut cursor, "@SourceTag")?;
    let tags = Texts { cursor };
    cursor.peek()?.ok_or(Fault::new(cursor.end(), Reason::Missing(Part::SourceTag)))?;
    while let Some(tag) = cursor.next()? {
        validate::name(&tag, Part::SourceTag)?;
    }
    Ok(SourceTag { action, source, tags })
}

pub(super) fn read_description(mut cursor: Cursor<'_>) -> Result<SourceDescription<'_>, Fault> {
    let (action, source) = head(&mut cursor, "@SourceDescription")?;
    let action = match action {
        TagAction::Add | TagAction::Save => DescriptionAction::Save,
        TagAction::Delete => DescriptionAction::Delete,
    };
    let description = cursor.next()?.map(|token| token.text);
    if description.is_none() && action == DescriptionAction::Save {
        return Err(Fault::new(cursor.end(), Reason::Missing(Part::Description)));
    }
    if let Some(extra) = cursor.next()? {
        // The rest has to be tokens too, but that it is too much is said first.
        return Err(extra.fault(Reason::ExtraInput));
    }
    Ok(SourceDescription { action, source, description })
}

/// The keyword, and `action` and `source`, in either order, as the next two pairs.
fn head<'a>(cursor: &mut Cursor<'a>, word: &str) -> Result<(TagAction, Text<'a>), Fault> {
    let keyword = cursor.expect(Part::Keyword)?;
    if keyword.text != *word {
        return Err(keyword.fault(Reason::WrongKeyword));
    }
    let (mut action, mut source): (Option<Token<'_>>, Option<Token<'_>>) = (None, None);
    for _ in 0..2 {
        let Some((key, value)) = cursor.pair()? else { break };
        if key.text == "action" {
            action = Some(value);
        } else if key.text == "source" {
            source = Some(value);
        }
    }
    let missing = |part| Fault::new(cursor.at(), Reason::Missing(part));
    let action = action.ok_or(missing(Part::Action))?;
    let source = source.ok_or(missing(Part::Source))?;
    Ok((verb(&action)?, source.text))
}

/// `add`, `save` or `delete`, in any case.
fn verb(token: &Token<'_>) -> Result<TagAction, Fault> {
    let is = |word: &str| token.text.chars().map(|c| c.to_ascii_lowercase()).eq(word.chars());
    if is("add") {
        Ok(TagAction::Add)
    } else if is("save") {
        Ok(TagAction::Save)
    } else if is("delete") {
        Ok(TagAction::Delete)
    } else {
        Err(token.fault(Reason::UnknownAction))
    }
}
