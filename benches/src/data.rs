//! The data: 1,024 different numbers each, timestamps that change; everything else as an application would have it.

use wavefront_sdk::Uuid;

/// How many different numbers there are of each sort.
pub const DIFFERENT: usize = 1024;
pub const NAME: &str = "new-york.power.usage";
pub const SOURCE: &str = "localhost";
pub const TIMESTAMP: u64 = 1_493_773_500;
pub const MILLIS: u64 = 1_533_529_977_627;
pub const MICROS: u64 = 1_552_949_776_000_123;
/// Of a metric with one tag: the first of these.
pub const TAGS: [(&str, &str); 4] =
    [("datacenter", "dc1"), ("region", "us-west"), ("service", "checkout"), ("env", "production")];
pub const SPAN_NAME: &str = "getAllUsers";
pub const SPAN_TAGS: [(&str, &str); 6] = [
    ("application", "Wavefront"),
    ("service", "checkout"),
    ("http.method", "GET"),
    ("http.url", "https://shop.example.com/cart?id=7"),
    ("http.status_code", "200"),
    ("component", "grpc-java"),
];
pub const IDS: [Uuid; 4] = [
    Uuid::from_u128(0x7b3bf470_9456_11e8_9eb6_529269fb1459),
    Uuid::from_u128(0x0313bafe_9457_11e8_9eb6_529269fb1459),
    Uuid::from_u128(0x2f64e538_9457_11e8_9eb6_529269fb1459),
    Uuid::from_u128(0x5f64e538_9457_11e8_9eb6_529269fb1459),
];
pub const LOG: [(&str, &str); 3] = [("event", "error"), ("message", "connection reset by peer"), ("retry", "true")];
pub const COUNTS: [u64; 10] = [20, 10, 3, 150, 7, 42, 1, 65, 12, 9];
pub const EVENT_NAME: &str = "nightly backup";
pub const EVENT_TAGS: [&str; 2] = ["env: dev", "shop"];
pub const ANNOTATIONS: [(&str, &str); 2] = [("severity", "info"), ("type", "backup")];

/// A number that looks like chance and is the same each time: splitmix64.
fn mixed(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}

/// Numbers with two decimals, of which the last is not zero, up to 99,999.99.
pub fn two_decimals() -> Vec<f64> {
    let hundredths = (0..).map(|seed| mixed(seed) % 10_000_000).filter(|hundredths| hundredths % 10 != 0);
    hundredths.map(|hundredths| hundredths as f64 / 100.0).take(DIFFERENT).collect()
}

/// Numbers that take 17 digits, up to 100,000.
pub fn seventeen_digits() -> Vec<f64> {
    let digits = |value: &f64| value.to_string().bytes().filter(u8::is_ascii_digit).count();
    let values =
        (0..).map(|seed| (mixed(seed) >> 11) as f64 / (1_u64 << 53) as f64 * 1e5).filter(|&value| value >= 1.0);
    values.filter(|value| digits(value) == 17).take(DIFFERENT).collect()
}

/// Means of ten centroids each, with their counts.
pub fn centroids(values: &[f64]) -> Vec<[(f64, u64); 10]> {
    let mean = |line: usize, at: usize| values[(line * 10 + at) % values.len()];
    (0..values.len()).map(|line| std::array::from_fn(|at| (mean(line, at), COUNTS[at]))).collect()
}

/// The timestamp of the line with this number.
#[inline]
pub fn timestamp(line: usize) -> u64 {
    TIMESTAMP + (line as u64 & 0x3FFFF)
}

/// The start of the span or event with this number.
#[inline]
pub fn millis(line: usize) -> u64 {
    MILLIS + (line as u64 & 0x3FFFF)
}
