//! What is wrong, as a number and in words.

use alloc::vec::Vec;

use wavefront_sdk::delivery::Refused;
use wavefront_sdk::line::Full;
use wavefront_sdk::uplink::Unsent;
use wavefront_sdk::{EncodeError, InvalidInput, Problem};

/// Why a call did nothing.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// The caller's data cannot be said in a line, the scratch has no room for it, or the queue does not take it.
    Unsent(Unsent),
    /// An id is none.
    Id(&'static str),
    /// There is no such sender, or the call makes no sense: a mistake of ours.
    Gone,
}

impl Fault {
    /// The number that JavaScript has a name for.
    pub(crate) const fn code(&self) -> i32 {
        match self {
            Self::Unsent(Unsent::Invalid(_)) | Self::Id(_) => -1,
            Self::Unsent(Unsent::Refused(Refused::Full)) => -2,
            Self::Unsent(Unsent::Refused(Refused::StoreFull)) => -3,
            Self::Unsent(Unsent::Refused(Refused::TooLarge) | Unsent::Scratch(_)) => -4,
            Self::Unsent(Unsent::Refused(Refused::Closed)) => -5,
            Self::Unsent(Unsent::Refused(_)) => -6,
            _ => -8,
        }
    }

    /// Field, problem and message, a line each.
    pub(crate) fn describe(&self, out: &mut Vec<u8>) {
        let say: &mut dyn FnMut(&str) = &mut |text| out.extend_from_slice(text.as_bytes());
        let (field, problem, message) = match self {
            Self::Unsent(Unsent::Invalid(invalid)) => (invalid.field.as_str(), name_of(invalid.problem), ""),
            Self::Id(field) => (*field, "malformed", *field),
            Self::Unsent(Unsent::Refused(refused)) => ("", "", refused.as_str()),
            Self::Unsent(Unsent::Scratch(_)) => ("", "", Refused::TooLarge.as_str()),
            _ => ("", "", "the sender is gone"),
        };
        say(field);
        say("\n");
        say(problem);
        say("\n");
        say(message);
        match self {
            Self::Unsent(Unsent::Invalid(invalid)) => invalid.say(say),
            Self::Id(_) => say(" is not a UUID"),
            _ => {}
        }
    }
}

/// A problem as one word.
const fn name_of(problem: Problem) -> &'static str {
    match problem {
        Problem::Blank => "blank",
        Problem::PrefixOnly => "prefix-only",
        Problem::TooLong { .. } => "too-long",
        Problem::TooMany { .. } => "too-many",
        Problem::Missing => "missing",
        Problem::NotFinite => "not-finite",
        Problem::Negative => "negative",
        Problem::Zero => "zero",
        Problem::TooLarge => "too-large",
        Problem::ReservedKey => "reserved-key",
        Problem::RepeatedKey => "repeated-key",
        _ => "malformed",
    }
}

impl From<InvalidInput> for Fault {
    fn from(invalid: InvalidInput) -> Self {
        Self::Unsent(Unsent::Invalid(invalid))
    }
}

impl From<EncodeError<Full>> for Fault {
    fn from(error: EncodeError<Full>) -> Self {
        Self::Unsent(match error {
            EncodeError::Invalid(invalid) => Unsent::Invalid(invalid),
            EncodeError::Full(full) => Unsent::Scratch(full),
        })
    }
}

impl From<Unsent> for Fault {
    fn from(unsent: Unsent) -> Self {
        Self::Unsent(unsent)
    }
}
