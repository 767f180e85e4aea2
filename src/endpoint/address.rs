//! Addresses of machines, as the text of a URL has them: bytes to numbers, without the standard library's machinery for
//! it.

use super::url::{cut, pieces};

/// Only digits, at most `most`: what the standard library reads may have a sign too.
pub(crate) fn decimal(text: &[u8], most: u32) -> Option<u32> {
    let digits = text.iter().try_fold(0, |value: u32, byte| {
        let digit = byte.wrapping_sub(b'0');
        let value = value.saturating_mul(10).saturating_add(digit.into());
        (digit < 10).then_some(value)
    });
    digits.filter(|value| !text.is_empty() && *value <= most)
}

/// Four numbers without zeros in front.
pub(crate) fn ipv4(text: &[u8]) -> Option<u32> {
    let (mut address, mut count) = (0, 0);
    for piece in pieces(text, b'.') {
        if piece.len() > 1 && piece.first() == Some(&b'0') {
            return None;
        }
        address = address << 8 | decimal(piece, 255)?;
        count += 1;
    }
    (count == 4).then_some(address)
}

/// Eight groups of up to four hexadecimal digits (RFC 4291, 2.2): `::` stands for one or more that are 0, and an IPv4
/// address may stand for the last two.
pub(crate) fn ipv6(text: &[u8]) -> Option<u128> {
    let Some((before, after)) = text.windows(2).position(|two| two == b"::").and_then(|at| text.split_at_checked(at))
    else {
        let (address, count) = groups(text, true)?;
        return (count == 8).then_some(address);
    };
    let (high, before) = groups(before, false)?;
    let (low, after) = groups(after.get(2..)?, true)?;
    // None of them is all of 8 groups, so that what is shifted out is nothing.
    (before + after < 8).then(|| high.checked_shl(16 * (8 - before)).unwrap_or_default() | low)
}

/// The groups' bits, and how many they are; `ends` says that the address ends here.
fn groups(text: &[u8], ends: bool) -> Option<(u128, u32)> {
    let (mut bits, mut count, mut rest) = (0, 0, text);
    while !rest.is_empty() {
        let (group, next) = cut(rest, b':').unwrap_or((rest, b""));
        // A group has to follow.
        if next.is_empty() && group.len() < rest.len() {
            return None;
        }
        match ipv4(group) {
            Some(two) if ends && next.is_empty() => {
                bits = bits << 32 | u128::from(two);
                count += 1;
            }
            _ => bits = bits << 16 | u128::from(hexadecimal(group)?),
        }
        count += 1;
        rest = next;
    }
    (count <= 8).then_some((bits, count))
}

fn hexadecimal(group: &[u8]) -> Option<u32> {
    let bits = group.iter().try_fold(0, |bits, byte| Some(bits << 4 | u32::from(digit(*byte)?)));
    bits.filter(|_| matches!(group.len(), 1..=4))
}

/// The value of a hexadecimal digit.
pub(crate) fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        _ => Some((byte | 0x20).wrapping_sub(b'a')).filter(|letter| *letter < 6).map(|letter| letter + 10),
    }
}

/// Whether `host`, without brackets, is this machine: what is sent there can be read by nobody on the way.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.as_bytes();
    if let Some(address) = ipv4(host) {
        return address >> 24 == 127;
    }
    if let Some(address) = ipv6(host) {
        // `::1`, or an IPv4 address as one of IPv6.
        return address == 1 || address >> 24 == 0xFF_FF7F;
    }
    let name = host.strip_suffix(b".").unwrap_or(host);
    name.strip_suffix(b"localhost").is_some_and(|before| matches!(before, [] | [.., b'.']))
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn loopback_is_this_machine_only() {
        for host in ["127.0.0.1", "127.8.9.1", "::1", "0:0::0:1", "::ffff:127.0.0.1", "::ffff:7f00:1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost", "localhost.", "a.localhost"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["128.0.0.1", "0.0.0.0", "::", "::2", "1::1", "::ffff:128.0.0.1", "::7f00:1", "1::ffff:7f00:1"] {
            assert!(!is_loopback(host), "{host}");
        }
        for host in ["localhost.example.com", "notlocalhost", "example.com", "", "."] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn decimals_are_digits_and_end_at_their_limit() {
        for (text, value) in [("0", Some(0)), ("065535", Some(65535)), ("65536", None), ("", None), ("+1", None)] {
            assert_eq!(decimal(text.as_bytes(), 65535), value, "{text}");
        }
        assert_eq!(decimal(b"99999999999999999999", u32::MAX - 1), None);
    }

    proptest! {
        #[test]
        fn what_an_ipv4_address_is_the_standard_library_says_too(
            text in prop_oneof!["[0-9.]{0,12}", r"([0-9]{1,3}\.){3}[0-9]{1,3}", "[0-2.]{7,9}"]
        ) {
            prop_assert_eq!(ipv4(text.as_bytes()), text.parse::<Ipv4Addr>().ok().map(u32::from));
        }

        #[test]
        fn what_an_ipv6_address_is_the_standard_library_says_too(
            text in prop_oneof![
                "[0-9a-fA-F:.]{0,12}",
                "(:|::|[0-9a-f]{1,5}){1,17}",
                "([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}",
                "([0-9a-f]{0,4}:){1,8}[0-9a-fg]{0,4}",
                r"([0-9a-f]{0,4}:){1,7}[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,2}\.[0-9]{1,2}(:|::)?[0-9a-f]?",
            ]
        ) {
            prop_assert_eq!(ipv6(text.as_bytes()), text.parse::<Ipv6Addr>().ok().map(u128::from), "{}", text);
        }

        #[test]
        fn addresses_are_read_as_they_are_written(bits: u128, ones: u128) {
            // With runs of zeros, too.
            for bits in [bits, bits & ones & ones.rotate_left(1), bits & (1 << (bits % 128)), bits & 0xFFFF_FFFF_FFFF] {
                let address = Ipv6Addr::from(bits);
                prop_assert_eq!(ipv6(std::format!("{address}").as_bytes()), Some(bits));
            }
        }
    }
}
