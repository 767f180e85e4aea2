//! The shortest text of a double, in little code: for devices, where flash is dearer than time.
//!
//! Steele's and White's way with whole numbers (Dragon4, "How to print floating-point numbers accurately", 1990):
//! digits are taken off one by one until what is left is nearer to the double than to any other. It takes no table, no
//! division and no arithmetic of doubles. Short decimals take few steps; 1e-300 takes hundreds of times as long as 0.5.

/// For 2^1076, the denominator of the least doubles, times a hundred. The numerator of the greatest has fewer bits.
const PLACES: usize = 36;

const FRACTION_BITS: i32 = 52;

/// As long as the longest, `-2.2250738585072014e-308`.
const LONGEST: usize = 24;

/// The text of a double: `42422.0`, `1e16`, `-0.0`, as `ryu` writes it.
#[derive(Debug)]
pub(crate) struct Shortest {
    text: [u8; LONGEST],
    len: usize,
}

impl Shortest {
    /// The text of `value`, which is finite.
    #[inline]
    pub(crate) fn of(value: f64) -> Self {
        let mut text = Self { text: [0; LONGEST], len: 0 };
        text.write(value);
        text
    }

    #[inline(never)]
    fn write(&mut self, value: f64) {
        if value.is_sign_negative() {
            self.push(b'-');
        }
        let mut digits = Self { text: [0; LONGEST], len: 0 };
        let point = digits.fill(value);
        let digits = digits.as_bytes();
        let len = digits.len() as i32;
        // Where the point is not far, the places up to it and one after it are written, else one digit in front of it.
        let plain = (-4..=16).contains(&point);
        let (at, end) = if plain { (point, len.max(point + 1)) } else { (1, len) };
        for place in (at - 1).min(0)..end {
            if place == at {
                self.push(b'.');
            }
            let digit = usize::try_from(place).ok().and_then(|place| digits.get(place));
            self.push(digit.copied().unwrap_or(b'0'));
        }
        if !plain {
            self.push(b'e');
            self.push_exponent(point - 1);
        }
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }

    #[inline(never)]
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn push_exponent(&mut self, exponent: i32) {
        if exponent < 0 {
            self.push(b'-');
        }
        let exponent = exponent.unsigned_abs();
        let mut left = exponent;
        for unit in [100, 10, 1] {
            let mut digit = b'0';
            while left >= unit {
                left -= unit;
                digit += 1;
            }
            if exponent >= unit {
                self.push(digit);
            }
        }
    }

    /// Puts the digits here, none of them a zero at the beginning or the end (but for zero itself), and returns where
    /// the point is, counted from the first of them.
    fn fill(&mut self, value: f64) -> i32 {
        let bits = value.to_bits();
        let fraction = bits & ((1 << FRACTION_BITS) - 1);
        let biased = (bits >> FRACTION_BITS) as i32 & 0x7FF;
        let (mantissa, exponent) = match biased {
            0 => (fraction, 1),
            _ => (fraction | 1 << FRACTION_BITS, biased),
        };
        // The double below a power of two is half as far away as the one above.
        let uneven = i32::from(fraction == 0 && biased > 1);
        // What lies on the border to a neighbour is read as the double whose last bit is zero.
        let border = 1 - (mantissa & 1) as i32;

        let mut numbers = Numbers { words: [0; 3 * PLACES], len: 0 };
        numbers.begin(mantissa << (1 + uneven), 2 << uneven, exponent - 1023 - FRACTION_BITS);
        let mut point = 0;
        let mut more = true;
        while more {
            more = numbers.sign(1, -1, 0) >= 0;
            numbers.step(1, 0, 10);
            point += 1;
        }
        loop {
            let mut digit = 0;
            while numbers.sign(10, -1 - digit, 0) >= 0 {
                digit += 1;
            }
            numbers.step(10, digit, 1);
            let down = numbers.sign(1, 0, -1) < border;
            let up = numbers.sign(-1, 1, -1 - uneven) < border;
            let ends = down || up;
            // Where both are read as this double: which is nearer to it, or even?
            if up && (!down || numbers.sign(-2, 1, 0) < digit & 1) {
                digit += 1;
            }
            if ends || digit != 0 || self.len != 0 {
                self.push(b'0' + digit as u8);
            } else {
                point -= 1;
            }
            if ends {
                return point;
            }
        }
    }
}

/// Three whole numbers, `rest`, `whole` and `below`, the least of their places first: `rest / whole` is what is left of
/// the double, `below / whole` half the way to the next double below it.
struct Numbers {
    words: [u32; 3 * PLACES],
    len: usize,
}

impl Numbers {
    /// Sets them to `rest / whole * 2^exponent`, and 1 for `below`.
    fn begin(&mut self, rest: u64, whole: u32, exponent: i32) {
        let [low, one, half, high, ..] = &mut self.words;
        (*low, *high, *one, *half) = (rest as u32, (rest >> 32) as u32, whole, 1);
        let mut left = exponent.unsigned_abs();
        self.len = left as usize / 32 + 3;
        while left > 0 {
            let shift = left.min(16);
            left -= shift;
            if exponent < 0 { self.step(1, 0, 1 << shift) } else { self.step(1 << shift, 0, 1) }
        }
    }

    /// Multiplies all by `factor`, but `whole` by another one, and takes `whole` from the rest so many `times`.
    #[inline(never)]
    fn step(&mut self, factor: i32, times: i32, factor_of_whole: i32) {
        let (mut rest, mut whole, mut below) = (0, 0, 0);
        for place in self.words.as_chunks_mut().0.iter_mut().take(self.len) {
            let [of_rest, of_whole, of_below] = *place;
            rest += product(of_rest, factor) - product(of_whole, times);
            whole += product(of_whole, factor_of_whole);
            below += product(of_below, factor);
            *place = [rest as u32, whole as u32, below as u32];
            (rest, whole, below) = (rest >> 32, whole >> 32, below >> 32);
        }
    }

    /// -1, 0 or 1: the sign of the sum of the three, each as often as is said.
    #[inline(never)]
    fn sign(&self, rest: i32, whole: i32, below: i32) -> i32 {
        let (mut sum, mut any) = (0_i64, 0);
        for &[of_rest, of_whole, of_below] in self.words.as_chunks().0.iter().take(self.len) {
            sum += product(of_rest, rest) + product(of_whole, whole) + product(of_below, below);
            any |= sum as u32;
            sum >>= 32;
        }
        if sum < 0 { -1 } else { i32::from(any != 0 || sum != 0) }
    }
}

#[inline]
fn product(word: u32, factor: i32) -> i64 {
    i64::from(word) * i64::from(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: f64) {
        let (text, mut expected) = (Shortest::of(value), ryu::Buffer::new());
        assert_eq!(text.as_bytes(), expected.format_finite(value).as_bytes(), "{value:e}");
    }

    fn check_with_neighbours(value: f64) {
        [value.next_down(), value, value.next_up()].into_iter().filter(|value| value.is_finite()).for_each(check);
    }

    #[test]
    fn edges_are_written_as_ryu_writes_them() {
        [0.0, 0.1, 0.3, 9.5, 1e23, 5e-324, f64::MIN_POSITIVE, f64::MAX].into_iter().for_each(check_with_neighbours);
        check(-0.0);
        check(-0.1);
        // Powers of two, below which the next double is nearer than above.
        for exponent in (0..0x7FF).step_by(3) {
            check_with_neighbours(f64::from_bits(exponent << FRACTION_BITS));
        }
        for bit in 0..FRACTION_BITS {
            check_with_neighbours(f64::from_bits(1 << bit));
            // Beyond 2^53 every other whole number is halfway between two doubles.
            check_with_neighbours((1_u64 << bit) as f64 * 3.0);
            check_with_neighbours(((1_u64 << 53) + (1 << bit)) as f64);
        }
        for exponent in -324..=308 {
            check_with_neighbours(std::format!("1e{exponent}").parse().unwrap_or(0.0));
        }
        // Where the way it is written changes.
        for exponent in -8..=20 {
            for digits in ["9", "12", "125", "1234567890123456", "9007199254740993", "12345678901234567"] {
                check_with_neighbours(
                    std::format!("{digits}e{}", exponent - digits.len() as i32).parse().unwrap_or(0.0),
                );
            }
        }
    }

    #[test]
    fn any_double_is_written_as_ryu_writes_it() {
        let mut bits: u64 = 0x9E37_79B9_7F4A_7C15;
        for step in 0..100_000 {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            // Of the size that measurements have; now and then, as that takes long, of any.
            check(f64::from_bits(bits >> 12 | (0x3E0 + bits % 0x40) << FRACTION_BITS));
            let any = f64::from_bits(bits & (u64::MAX >> 1));
            if step % 64 == 0 && any.is_finite() {
                check(any);
            }
        }
    }
}
