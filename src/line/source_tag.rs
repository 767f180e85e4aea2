//! `@SourceTag action=add source="src" "tag"…` and `@SourceDescription action=save source="src" "text"`.

use super::compact;
use super::out::{Out, Put};
use super::point::source;
use super::text::{Name, Text};
use super::{Encode, Full, Rules, Sink, Slice};
use crate::{
    DescriptionAction, EncodeError, Field, InvalidInput, Kind, Problem, SourceDescription, SourceTag, TagAction,
};

impl Encode for SourceTag<'_> {
    const KIND: Kind = Kind::SourceTag;

    fn encode<S: Sink + ?Sized>(&self, rules: &Rules<'_>, sink: &mut S) -> Result<u32, EncodeError<S::Full>> {
        Out::lines(sink, rules.limits.metric_line, |out| put_tags(self, rules, out))
    }

    fn encode_compact(&self, rules: &Rules<'_>, lines: &mut Slice<'_>) -> Result<u32, EncodeError<Full>> {
        compact::source_tag(self, rules, lines)
    }
}

impl Encode for SourceDescription<'_> {
    const KIND: Kind = Kind::SourceTag;

    fn encode<S: Sink + ?Sized>(&self, rules: &Rules<'_>, sink: &mut S) -> Result<u32, EncodeError<S::Full>> {
        Out::lines(sink, rules.limits.metric_line, |out| put_description(self, rules, out))
    }

    fn encode_compact(&self, rules: &Rules<'_>, lines: &mut Slice<'_>) -> Result<u32, EncodeError<Full>> {
        compact::source_description(self, rules, lines)
    }
}

fn put_tags(datum: &SourceTag<'_>, rules: &Rules<'_>, out: &mut (impl Put + ?Sized)) -> Result<u32, InvalidInput> {
    if datum.tags.is_empty() {
        return Err(InvalidInput::new(Field::SourceTag, Problem::Missing));
    }
    let source = source(datum.source, rules)?;
    out.put(match datum.action {
        TagAction::Add => b"@SourceTag action=add source=\"",
        TagAction::Save => b"@SourceTag action=save source=\"",
        TagAction::Delete => b"@SourceTag action=delete source=\"",
    });
    source.put(out);
    for tag in datum.tags {
        out.put(b"\" \"");
        // The receiver takes only what is legal in a key.
        Name::key(tag, Field::SourceTag)?.put(out);
    }
    end_line(out)
}

fn put_description(
    datum: &SourceDescription<'_>,
    rules: &Rules<'_>,
    out: &mut (impl Put + ?Sized),
) -> Result<u32, InvalidInput> {
    let source = source(datum.source, rules)?;
    out.put(match datum.action {
        DescriptionAction::Save => b"@SourceDescription action=save source=\"",
        DescriptionAction::Delete => b"@SourceDescription action=delete source=\"",
    });
    source.put(out);
    match Text::new(datum.description, Field::Description) {
        Ok(description) => {
            out.put(b"\" \"");
            description.put(out);
        }
        // Only what is taken away needs no text.
        Err(_) if datum.action == DescriptionAction::Delete => {}
        Err(invalid) => return Err(invalid),
    }
    end_line(out)
}

fn end_line(out: &mut (impl Put + ?Sized)) -> Result<u32, InvalidInput> {
    out.put(b"\"\n");
    out.end_line()?;
    Ok(1)
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
