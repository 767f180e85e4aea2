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
        let mut most = usize::MAX;
        match style.key.0 {
            Field::TagKey => most = limits.tags,
            Field::SpanTagKey => most = limits.span_tags,
            _ => {}
        }
        let glue = if style.key.1 == Form::Said { b'{' } else { b' ' };
        let mut walk = Walk { line: self, pairs, style, marked, most, given: 0, count: fixed, glue };
        pairs.walk(&mut |key, value| walk.pair(key, value));
        let Walk { count, glue, .. } = walk;
        if count > most {
            let field = if style.key.0 == Field::TagKey { Field::Tags } else { Field::SpanTags };
            self.wrong(field, Problem::TooMany { limit: most, count });
        }
        match glue {
            b'{' => self.put(b"{}"),
            b',' => self.put(b"}"),
            _ => {}
        }
    }
}

/// Pairs on their way into a line.
struct Walk<'w, 'a, 's> {
    line: &'w mut Line<'a, 's>,
    pairs: &'w dyn AnyTags,
    style: &'w Style,
    marked: bool,
    /// How many there may be.
    most: usize,
    /// The pairs so far.
    given: usize,
    /// Those that are written, or would be if there were not too many.
    count: usize,
    /// What parts the next pair from what is before it.
    glue: u8,
}

impl Walk<'_, '_, '_> {
    /// Checks the next pair and puts it, and says whether to go on.
    fn pair(&mut self, key: &str, value: &str) -> bool {
        let Self { line, style, .. } = self;
        let (field, form) = style.key;
        let (is_point, is_span) = (field == Field::TagKey, field == Field::SpanTagKey);
        let before = self.given;
        self.given += 1;
        if self.marked && same(key, MARK) {
            return true;
        }
        if self.count >= self.most && !is_span {
            self.count += 1;
            return true;
        }
        let name = line.clean(key, field, form);
        if style.reserved.as_bytes().split(|byte| *byte == b' ').any(|word| word.iter().eq(key.as_bytes())) {
            line.wrong(field, Problem::ReservedKey);
        }
        let limits = &line.rules.limits;
        if is_point || is_span {
            line.check(field, name.units(), if is_span { limits.span_tag_key } else { limits.tag_key });
        }
        let text = line.clean(value, style.value.0, style.value.1);
        let read = Clean::of(as_read(key, is_point), form);
        if is_point {
            line.check(Field::Tag, read.units() + text.units(), limits.tag);
        }
        if is_among(self.pairs, before, style, &read, &text) {
            if !is_span {
                line.wrong(field, Problem::RepeatedKey);
            }
        } else {
            self.count += 1;
            if self.count <= self.most {
                line.put(&[self.glue]);
                line.put(style.before);
                line.text(&name);
                line.put(style.between);
                line.text(&text);
                line.put(b"\"");
                if self.glue != b' ' {
                    self.glue = b',';
                }
            }
        }
        line.is_fine()
    }
}

/// Whether one of the first so many pairs has this key, in a span this value too.
fn is_among(pairs: &dyn AnyTags, mut left: usize, style: &Style, name: &Clean<'_>, text: &Clean<'_>) -> bool {
    let mut is_there = false;
    pairs.walk(&mut |key, value| {
        if left > 0 {
            left -= 1;
            let (field, form) = style.key;
            is_there = Clean::of(as_read(key, field == Field::TagKey), form).is(name)
                && (field != Field::SpanTagKey || Clean::of(value, Form::Text).is(text));
            return !is_there;
        }
        false
    });
    is_there
}

/// The key as the reader keeps it, but for the clean-up.
#[inline(never)]
fn as_read(key: &str, is_point: bool) -> &str {
    if is_point && same(key, "tag") { "_tag" } else { key }
}

/// Whether the texts are the same.
#[inline(never)]
fn same(this: &str, that: &str) -> bool {
    this.bytes().eq(that.bytes())
}
