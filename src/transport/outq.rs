//! What the kernel still has of what was written to a socket. No library says it in a safe function, so this is the one
//! place of the crate that does without the compiler's guarantees: one `ioctl`, by a type that keeps its memory.
#![allow(unsafe_code)]

use std::os::fd::AsFd;

use rustix::ioctl::{Getter, Opcode, ioctl};

/// `SIOCOUTQ`, by the name that terminals have for the same number (`asm/ioctls.h`: three architectures have their
/// own).
const TIOCOUTQ: Opcode = if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
    0x7472
} else if cfg!(any(target_arch = "powerpc", target_arch = "powerpc64", target_arch = "sparc", target_arch = "sparc64"))
{
    0x4004_7473
} else {
    0x5411
};

/// Bytes that were written and are not acknowledged by the peer's kernel; our FIN counts as one (tcp(7)). After a reset
/// it is what was not acknowledged until then. Of a Unix socket it is the memory that holds what the peer has not read
/// (unix(7)).
pub(super) fn unacknowledged(stream: &impl AsFd) -> Option<u64> {
    // SAFETY: the kernel writes one `int` for this request, to the getter's own memory, and keeps nothing of it.
    let bytes = unsafe { ioctl(stream, Getter::<TIOCOUTQ, core::ffi::c_int>::new()) };
    bytes.ok().and_then(|bytes| u64::try_from(bytes).ok())
}
