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

impl<'a> Texts<'a> {
    pub(super) const fn new(cursor: Cursor<'a>) -> Self {
        Self { cursor }
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    extern crate std;
    use super::*;
    use crate::{Limits, parse};
    use std::{string::String, string::ToString, vec::Vec};

    fn tag(line: &str) -> Result<(TagAction, String, Vec<String>), Reason> {
        let tag = parse::source_tag(line, &Limits::DEFAULT).map_err(|error| error.reason)?;
        Ok((tag.action, tag.source.to_string(), tag.tags.map(|tag| tag.to_string()).collect()))
    }

    #[test]
    fn tags_of_a_source() {
        assert_eq!(
            tag("@SourceTag action=Save source=\"web 1\" \"a\" b"),
            Ok((TagAction::Save, "web 1".into(), std::vec!["a".into(), "b".into()]))
        );
        assert_eq!(tag("@SourceTag source=s action=delete t").unwrap().0, TagAction::Delete);
        assert_eq!(tag("@SourceTag action=add source=s"), Err(Reason::Missing(Part::SourceTag)));
        assert_eq!(tag("@SourceTag action=add source=s a=b"), Err(Reason::IllegalCharacter(Part::SourceTag)));
        assert_eq!(tag("@SourceTag action=add t"), Err(Reason::NoEquals));
        assert_eq!(tag("@SourceTag action=add host=s t"), Err(Reason::Missing(Part::Source)));
        assert_eq!(tag("@SourceTag source=s"), Err(Reason::Missing(Part::Action)));
        assert_eq!(tag("@SourceTags action=add source=s t"), Err(Reason::WrongKeyword));
    }

    #[test]
    fn the_description_of_a_source() {
        let read = |line| parse::source_description(line, &Limits::DEFAULT).map_err(|error| error.reason);
        let saved = read("@SourceDescription action=save source=s \"two words\"").unwrap();
        assert_eq!((saved.action, saved.description.unwrap().as_raw()), (DescriptionAction::Save, "two words"));
        let gone = read("@SourceDescription action=delete source=s").unwrap();
        assert!(gone.action == DescriptionAction::Delete && gone.description.is_none());
        let missing = read("@SourceDescription action=save source=s").unwrap_err();
        assert_eq!(missing, Reason::Missing(Part::Description));
        assert_eq!(read("@SourceDescription action=save source=s two words").unwrap_err(), Reason::ExtraInput);
    }
}
