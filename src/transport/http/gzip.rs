//! Bodies as gzip (RFC 1952).

use core::fmt;
use std::vec::Vec;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// A compressor that is used again: its tables are larger than most bodies.
pub(super) struct Gzip {
    deflate: Compress,
}

impl Gzip {
    pub(super) fn new() -> Self {
        Self { deflate: Compress::new(Compression::new(6), false) }
    }

    /// Puts `input` as one gzip member (RFC 1952) into `output`. False where that would not be smaller.
    pub(super) fn compress(&mut self, input: &[u8], output: &mut Vec<u8>) -> bool {
        output.clear();
        // Lines of telemetry shrink to a tenth; a quarter is seldom outgrown.
        output.reserve(input.len() / 4 + 64);
        // No flags, no time, no name; system unknown.
        output.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
        self.deflate.reset();
        loop {
            let read = usize::try_from(self.deflate.total_in()).unwrap_or(usize::MAX);
            let rest = input.get(read..).unwrap_or_default();
            match self.deflate.compress_vec(rest, output, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => break,
                Ok(_) if output.len() < input.len() => output.reserve(input.len() / 4 + 64),
                _ => return false,
            }
        }
        let mut crc = Crc::new();
        crc.update(input);
        output.extend_from_slice(&crc.sum().to_le_bytes());
        output.extend_from_slice(&crc.amount().to_le_bytes());
        output.len() < input.len()
    }
}

impl fmt::Debug for Gzip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gzip").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;

    use super::*;

    proptest::proptest! {
        #[test]
        fn gzip_gives_the_same_bytes_back(
            inputs in proptest::collection::vec(("[a-f ]{0,20}", 0_usize..400), 1..5),
            noise in proptest::collection::vec(0_u8.., 0..3000),
        ) {
            let mut gzip = Gzip::new();
            let mut output = Vec::from(*b"left over");
            let texts = inputs.into_iter().map(|(text, times)| text.repeat(times).into_bytes());
            for input in texts.chain([noise]) {
                if gzip.compress(&input, &mut output) {
                    proptest::prop_assert!(output.len() < input.len());
                    let mut back = Vec::new();
                    flate2::read::GzDecoder::new(&*output).read_to_end(&mut back).unwrap();
                    proptest::prop_assert!(back == input);
                } else {
                    proptest::prop_assert!(input.len() < 100 || output.len() + 100 > input.len(), "not even tried");
                }
            }
        }
    }
}
