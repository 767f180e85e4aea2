//! `@SourceTag action=add source="src" "tag"…` and `@SourceDescription action=save source="src" "text"`.

use super::out::{Out, Put};
use super::point::source;
use super::text::{Name, Text};
use super::{Encode, Rules, Sink};
use crate::{
    DescriptionAction, EncodeError, Field, InvalidInput, Kind, Problem, SourceDescription, SourceTag, TagAction,
};

impl Encode for SourceTag<'_> {
    const KIND: Kind = Kind::SourceTag;

    fn encode<S: Sink + ?Sized>(&self, rules: &Rules<'_>, sink: &mut S) -> Result<u32, EncodeError<S::Full>> {
        if self.tags.is_empty() {
            return Err(InvalidInput::new(Field::SourceTag, Problem::Missing).into());
        }
        let source = source(self.source, rules)?;
        Out::line(sink, rules.limits.metric_line, |out| {
            out.put(b"@SourceTag action=");
            out.put(match self.action {
                TagAction::Add => b"add",
                TagAction::Save => b"save",
                TagAction::Delete => b"delete",
            });
            out.put(b" source=\"");
            source.put(out);
            for tag in self.tags {
                out.put(b"\" \"");
                // The receiver takes only what is legal in a key.
                Name::key(tag).map_err(|problem| problem.of(Field::SourceTag))?.put(out);
            }
            out.put(b"\"\n");
            Ok(())
        })
    }
}

impl Encode for SourceDescription<'_> {
    const KIND: Kind = Kind::SourceTag;

    fn encode<S: Sink + ?Sized>(&self, rules: &Rules<'_>, sink: &mut S) -> Result<u32, EncodeError<S::Full>> {
        let source = source(self.source, rules)?;
        Out::line(sink, rules.limits.metric_line, |out| {
            out.put(match self.action {
                DescriptionAction::Save => b"@SourceDescription action=save source=\"",
                DescriptionAction::Delete => b"@SourceDescription action=delete source=\"",
            });
            source.put(out);
            match Text::new(self.description) {
                Ok(description) => {
                    out.put(b"\" \"");
                    description.put(out);
                }
                // Only what is taken away needs no text.
                Err(_) if self.action == DescriptionAction::Delete => {}
                Err(problem) => return Err(problem.of(Field::Description)),
            }
            out.put(b"\"\n");
            Ok(())
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    fn line(datum: &impl Encode) -> Result<String, (Field, Problem)> {
        let mut out = Vec::new();
        match datum.encode(&Rules::new().default_source("d"), &mut out) {
            Ok(lines) => assert_eq!(lines, 1),
            Err(EncodeError::Invalid(invalid)) => return Err((invalid.field, invalid.problem)),
        }
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn tags_of_a_source() {
        let tags = SourceTag::new(TagAction::Add, &["prod", "a \"b\""]);
        assert_eq!(line(&tags.source("s")).unwrap(), "@SourceTag action=add source=\"s\" \"prod\" \"a--b-\"\n");
        let save = line(&SourceTag::new(TagAction::Save, &["x"])).unwrap();
        assert_eq!(save, "@SourceTag action=save source=\"d\" \"x\"\n");
        let delete = line(&SourceTag::new(TagAction::Delete, &["x"])).unwrap();
        assert_eq!(delete, "@SourceTag action=delete source=\"d\" \"x\"\n");
        assert_eq!(line(&SourceTag::new(TagAction::Add, &[])), Err((Field::SourceTag, Problem::Missing)));
        assert_eq!(line(&SourceTag::new(TagAction::Add, &["a", "\t"])), Err((Field::SourceTag, Problem::Blank)));
    }

    #[test]
    fn the_description_of_a_source() {
        let save = line(&SourceDescription::save("rack 7\nrow 2")).unwrap();
        assert_eq!(save, "@SourceDescription action=save source=\"d\" \"rack 7\\nrow 2\"\n");
        let delete = line(&SourceDescription::delete().source("s")).unwrap();
        assert_eq!(delete, "@SourceDescription action=delete source=\"s\"\n");
        for blank in [" ", "\\", "\t\\ "] {
            let datum = SourceDescription { description: blank, ..SourceDescription::delete() };
            assert_eq!(line(&datum.source("s")).unwrap(), delete, "{blank:?}");
        }
        assert_eq!(line(&SourceDescription::save(" ")), Err((Field::Description, Problem::Blank)));
    }
}
