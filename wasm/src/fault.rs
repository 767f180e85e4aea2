//! What is wrong, as a number and in words.

use alloc::vec::Vec;

use wavefront_sdk::delivery::Refused;
use wavefront_sdk::endpoint::EndpointError;
use wavefront_sdk::line::Full;
use wavefront_sdk::uplink::Unsent;
use wavefront_sdk::{EncodeError, InvalidInput, Problem};

/// Why a call did nothing.
pub(crate) enum Fault {
    /// The caller's data cannot be said in a line.
    Invalid(InvalidInput),
    /// An id is none.
    Id(&'static str),
    /// The URL or the token is wrong.
    Endpoint(EndpointError),
    /// The URL means TCP, which this runtime does not have.
    Tcp,
    /// The queue does not take the lines.
    Refused(Refused),
    /// There is no such sender, or the call makes no sense: a mistake of ours.
    Gone,
}

impl Fault {
    /// The number that JavaScript has a name for.
    pub(crate) const fn code(&self) -> i32 {
        match self {
            Self::Invalid(_) | Self::Id(_) => -1,
            Self::Refused(Refused::Full) => -2,
            Self::Refused(Refused::StoreFull) => -3,
            Self::Refused(Refused::TooLarge) => -4,
            Self::Refused(Refused::Closed) => -5,
            Self::Refused(_) => -6,
            Self::Endpoint(_) | Self::Tcp => -7,
            Self::Gone => -8,
        }
    }

    /// Field, problem and message, a line each.
    pub(crate) fn describe(&self, out: &mut Vec<u8>) {
        let mut say = |text: &str| out.extend_from_slice(text.as_bytes());
        match self {
            Self::Invalid(invalid) => {
                [invalid.field.as_str(), "\n", name_of(invalid.problem), "\n"].into_iter().for_each(&mut say);
                invalid.say(&mut say);
            }
            Self::Id(field) => {
                [field, "\nmalformed\n", field, " is not a UUID"].into_iter().for_each(say);
            }
            Self::Endpoint(error) => {
                say("server\nmalformed\n");
                error.say(&mut say);
            }
            Self::Tcp => say("server\nmalformed\nthere are no TCP sockets here: use https:// or http://"),
            Self::Refused(refused) => {
                ["\n\n", refused.as_str()].into_iter().for_each(say);
            }
            Self::Gone => say("\n\nthe sender is gone"),
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
        Self::Invalid(invalid)
    }
}

impl From<EndpointError> for Fault {
    fn from(error: EndpointError) -> Self {
        Self::Endpoint(error)
    }
}

impl From<EncodeError<Full>> for Fault {
    fn from(error: EncodeError<Full>) -> Self {
        match error {
            EncodeError::Invalid(invalid) => Self::Invalid(invalid),
            EncodeError::Full(_) => Self::Refused(Refused::TooLarge),
        }
    }
}

impl From<Unsent> for Fault {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Invalid(invalid) => Self::Invalid(invalid),
            Unsent::Scratch(_) => Self::Refused(Refused::TooLarge),
            Unsent::Refused(refused) => Self::Refused(refused),
            _ => Self::Gone,
        }
    }
}
