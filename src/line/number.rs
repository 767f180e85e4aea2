//! Numbers and ids as text.

use uuid::Uuid;

use super::out::Put;

/// Writes a finite double: the shortest text that reads back as the same double, `42422.0`, `1e16`, `-0.0`.
#[inline]
pub(crate) fn put_f64(value: f64, out: &mut impl Put) {
    out.put(ryu::Buffer::new().format_finite(value).as_bytes());
}

/// Writes an integer.
#[inline]
pub(crate) fn put_u64(value: u64, out: &mut impl Put) {
    out.put(itoa::Buffer::new().format(value).as_bytes());
}

/// The id as lower-case hexadecimal with hyphens.
#[inline]
pub(crate) fn hyphenated(id: Uuid) -> [u8; 36] {
    let (id, dash) = (id.as_u128(), b'-');
    let [a0, a1, a2, a3, a4, a5, a6, a7] = hexadecimal((id >> 96) as u32);
    let [b0, b1, b2, b3, c0, c1, c2, c3] = hexadecimal((id >> 64) as u32);
    let [d0, d1, d2, d3, e0, e1, e2, e3] = hexadecimal((id >> 32) as u32);
    let [e4, e5, e6, e7, e8, e9, ea, eb] = hexadecimal(id as u32);
    [
        a0, a1, a2, a3, a4, a5, a6, a7, dash, b0, b1, b2, b3, dash, c0, c1, c2, c3, dash, //
        d0, d1, d2, d3, dash, e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, ea, eb,
    ]
}

/// Eight digits at once: a nibble spread to each byte, then made a character.
const fn hexadecimal(bits: u32) -> [u8; 8] {
    let mut spread = bits as u64;
    spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF;
    spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF;
    spread = (spread | spread << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    let letters = (spread + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (spread + 0x3030_3030_3030_3030 + letters * 0x27).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn ids_are_written_as_their_own_crate_does() {
        let mut bits: u128 = 0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3210;
        for _ in 0..1000 {
            let id = Uuid::from_u128(bits);
            assert_eq!(hyphenated(id).as_slice(), id.to_string().as_bytes());
            bits = bits.wrapping_mul(0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645).wrapping_add(1);
        }
    }
}
