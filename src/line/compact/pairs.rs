//! Tags, annotations and fields: pairs of a key and a value, by one loop.

use super::AnyTags;
use super::clean::{Clean, Form};
use super::line::Line;
use crate::line::out::Put;
use crate::{Field, Problem};

/// How pairs are written, and what is checked.
pub(super) struct Style {
    key: (Field, Form),
    value: (Field, Form),
    /// Keys that the line has a use of its own for.
    reserved: &'static str,
    /// What stands in front of a key, but for what parts the pairs.
    before: &'static [u8],
    between: &'static [u8],
}

/// ` "k"="v"`
pub(super) static POINT: Style = Style {
    key: (Field::TagKey, Form::Key),
    value: (Field::TagValue, Form::Text),
    reserved: "source host",
    before: b"\"",
    between: b"\"=\"",
};

/// ` "k"="v"`
pub(super) static SPAN: Style = Style {
    key: (Field::SpanTagKey, Form::SpanKey),
    value: (Field::SpanTagValue, Form::Text),
    reserved: "source host traceId spanId parent followsFrom",
    ..POINT
};

/// ` k="v"`
pub(super) static ANNOTATION: Style = Style {
    key: (Field::AnnotationKey, Form::Key),
    value: (Field::AnnotationValue, Form::Text),
    reserved: "host tag eventTag",
    before: b"",
    between: b"=\"",
};

/// `"k":"v"` in braces.
pub(super) static ANNOTATION_IN_JSON: Style = Style {
    key: (Field::AnnotationKey, Form::Said),
    value: (Field::AnnotationValue, Form::Said),
    reserved: "",
    before: b"\"",
    between: b"\":\"",
};

/// `"k":"v"` in braces.
pub(super) static FIELD: Style =
    Style { key: (Field::SpanLogKey, Form::Said), value: (Field::SpanLogKey, Form::Any), ..ANNOTATION_IN_JSON };

/// The mark of a span that has logs.
pub(super) const MARK: &str = "_spanLogs";

impl Line<'_, '_> {
    /// Puts `pairs` where there are `fixed` of them already. A span that is `marked` has no other mark.
    #[inline(never)]
    pub(super) fn pairs(&mut self, pairs: &dyn AnyTags, style: &Style, fixed: usize, marked: bool) {
        let limits = &self.rules.limits;
        let (field, form) = style.key;
        let (is_point, is_span) = (field == Field::TagKey, field == Field::SpanTagKey);
        let (mut key_limit, mut pair_limit, mut most) = (usize::MAX, usize::MAX, usize::MAX);
        if is_point {
            (key_limit, pair_limit, most) = (limits.tag_key, limits.tag, limits.tags);
        } else if is_span {
            (key_limit, most) = (limits.span_tag_key, limits.span_tags);
        }
        fn as_read(key: &str, is_point: bool) -> &str {
            // The reader keeps this one by another name.
            if is_point && same(key, "tag") { "_tag" } else { key }
        }
        let (mut given, mut count) = (0, fixed);
        let mut glue = if form == Form::Said { b'{' } else { b' ' };
        pairs.walk(&mut |key, value| {
            let before = given;
            given += 1;
            if marked && same(key, MARK) {
                return true;
            }
            if count >= most && !is_span {
                count += 1;
                return true;
            }
            let name = self.clean(key, field, form);
            if style.reserved.as_bytes().split(|byte| *byte == b' ').any(|word| word.iter().eq(key.as_bytes())) {
                self.wrong(field, Problem::ReservedKey);
            }
            self.check(field, name.units(), key_limit);
            let text = self.clean(value, style.value.0, style.value.1);
            let read = Clean::of(as_read(key, is_point), form);
            self.check(Field::Tag, read.units() + text.units(), pair_limit);
            let (mut left, mut is_there) = (before, false);
            pairs.walk(&mut |key, value| {
                if left > 0 {
                    left -= 1;
                    is_there = Clean::of(as_read(key, is_point), form).is(&read)
                        && (!is_span || Clean::of(value, Form::Text).is(&text));
                    return !is_there;
                }
                false
            });
            if is_there {
                if !is_span {
                    self.wrong(field, Problem::RepeatedKey);
                }
            } else {
                count += 1;
                if count <= most {
                    self.put(&[glue]);
                    self.put(style.before);
                    self.text(&name);
                    self.put(style.between);
                    self.text(&text);
                    self.put(b"\"");
                    if glue != b' ' {
                        glue = b',';
                    }
                }
            }
            self.is_fine()
        });
        if count > most {
            let field = if is_span { Field::SpanTags } else { Field::Tags };
            self.wrong(field, Problem::TooMany { limit: most, count });
        }
        if glue != b' ' {
            self.put(if glue == b'{' { b"{}" } else { b"}" });
        }
    }
}

/// Whether the texts are the same.
#[inline(never)]
fn same(this: &str, that: &str) -> bool {
    this.bytes().eq(that.bytes())
}
