//! A small shop that is busy: requests with their latencies, traces, releases.

use wavefront_sdk::Uuid;

use super::datum::{Datum, Operation, Pairs};

/// Makes up what the shop does. The same seed makes up the same.
pub(crate) struct Workload {
    random: Random,
    ticks: u32,
    started: u64,
    releases: u32,
}

impl Workload {
    /// A shop that opens at `now`, in ms since 1970.
    pub(crate) fn new(seed: u64, now: u64) -> Self {
        Self { random: Random(seed), ticks: 0, started: now, releases: 0 }
    }

    /// What happened since the last tick, as of `now` (ms since 1970). The first tick has something of every kind.
    pub(crate) fn tick(&mut self, now: u64) -> Vec<Datum> {
        let mut all = Vec::new();
        if self.ticks == 0 {
            all.push(Datum::SourceDescription { text: "Where `wavefront demo` was tried".into() });
            all.push(Datum::SourceTag { tags: vec!["demo".into(), "loopback".into()] });
        }
        if self.ticks.is_multiple_of(5) {
            all.push(self.release(now));
        }
        self.ticks += 1;

        let latencies = self.latencies();
        let failed = latencies.iter().filter(|_| self.random.unit() < 0.03).count();
        let orders = 1.0 + self.random.below(4) as f64;
        let at = now / 1000;
        all.push(Datum::Metric {
            name: "demo.cart.value".into(),
            value: (self.random.unit() * 20_000.0).round() / 100.0,
            at,
            tags: pairs(&[("currency", "€"), ("customer", "Zoë \"Z\" O'Neil, size 9\\10")]),
        });
        for (name, value, tag) in [
            ("demo.orders", orders, ("pay", "card")),
            ("demo.requests", failed as f64, ("status", "5xx")),
            ("demo.requests", (latencies.len() - failed) as f64, ("status", "2xx")),
        ] {
            // A delta of zero is nothing to send.
            if value > 0.0 {
                all.push(Datum::Delta { name: name.into(), value, tags: pairs(&[tag]) });
            }
        }
        all.push(Datum::Histogram {
            name: "demo.request.latency".into(),
            centroids: centroids(&latencies),
            at,
            tags: pairs(&[("route", "/checkout")]),
        });
        all.extend(self.trace(now).into_iter().map(Datum::Span));
        all
    }

    /// An event.
    fn release(&mut self, now: u64) -> Datum {
        self.releases += 1;
        Datum::Event {
            name: format!("shop release 1.{}", self.releases),
            start: now,
            end: now + 1 + self.random.below(3000),
            tags: vec!["demo".into(), "release".into()],
            annotations: pairs(&[
                ("severity", "info"),
                ("type", "deployment"),
                ("details", "open since the demo began"),
            ]),
        }
    }

    /// How long each request took, in ms: most of them 20, some few far longer.
    fn latencies(&mut self) -> Vec<f64> {
        let count = 20 + self.random.below(60);
        let one = |random: &mut Random| {
            let slow = if random.unit() < 0.02 { 8.0 } else { 1.0 };
            20.0 * (0.5 * random.normal()).exp() * slow
        };
        (0..count).map(|_| one(&mut self.random)).collect()
    }

    /// A checkout: prices, then the payment, then a mail that nobody waits for.
    fn trace(&mut self, now: u64) -> [Operation; 4] {
        let trace = self.random.uuid();
        let [root, price, payment, mail] = [(); 4].map(|()| self.random.uuid());
        let [quick, slow, posted] = [4, 60, 30].map(|most| 1 + self.random.below(most));
        let order = format!("{}-{}", self.started % 10_000, self.ticks);
        let operation = |name: &str, id, start_millis, duration_millis, service: &str| Operation {
            name: name.into(),
            source: format!("{service}-1"),
            start_millis,
            duration_millis,
            trace,
            id,
            parents: Vec::new(),
            follows: Vec::new(),
            tags: pairs(&[("application", "shop"), ("service", service)]),
            logs: Vec::new(),
        };
        let mut checkout = operation("POST /checkout", root, now, quick + slow + 2, "web");
        checkout.tags.extend(pairs(&[("span.kind", "server"), ("http.status_code", "200"), ("order", &order)]));
        checkout.logs.push((now * 1000 + 250, pairs(&[("event", "cart read"), ("items", "3")])));

        let mut prices = operation("cart.price", price, now + 1, quick, "cart");
        prices.parents.push(root);

        let mut charge = operation("payment.charge", payment, now + 1 + quick, slow, "payment");
        charge.parents.push(root);
        charge.follows.push(price);
        let asked = (now + 1 + quick) * 1000;
        charge.logs.push((asked + 17, pairs(&[("event", "bank asked"), ("bank", "Bank of Ærø")])));
        charge.logs.push((asked + slow * 1000, pairs(&[("event", "paid"), ("message", "line 1\nline 2\t\"quoted\"")])));

        let mut thanks = operation("mail.send", mail, now + 2 + quick + slow, posted, "mail");
        thanks.follows.push(payment);
        [prices, charge, thanks, checkout]
    }
}

fn pairs(all: &[(&str, &str)]) -> Pairs {
    all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Samples, those within a tenth of each other put together: (mean, count).
fn centroids(samples: &[f64]) -> Vec<(f64, u64)> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
        .chunk_by(|a, b| bucket(*a) == bucket(*b))
        .map(|bucket| (bucket.iter().sum::<f64>() / bucket.len() as f64, bucket.len() as u64))
        .collect()
}

fn bucket(sample: f64) -> i32 {
    (sample.max(f64::MIN_POSITIVE).ln() / 1.1_f64.ln()).floor() as i32
}

/// SplitMix64 (Steele, Lea and Flood 2014): enough for make-believe.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// Around 0, as twelve dice.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A random id (version 4).
    fn uuid(&mut self) -> Uuid {
        let random = u128::from(self.next()) << 64 | u128::from(self.next());
        let version = 0x4 << 76 | 0x8 << 60;
        Uuid::from_u128(random & !(0xF << 76 | 0xC << 60) | version)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use wavefront_sdk::Kind;

    use super::*;

    #[test]
    fn the_first_tick_has_something_of_every_kind() {
        let facts: Vec<_> = Workload::new(1, 1).tick(1).iter().flat_map(|datum| datum.facts("s")).collect();
        let kinds: BTreeSet<Kind> = facts.iter().filter_map(super::super::datum::Fact::kind).collect();
        assert!(kinds.into_iter().eq(Kind::ALL));
    }

    #[test]
    fn the_same_seed_makes_up_the_same() {
        let run = |seed| {
            let mut workload = Workload::new(seed, 5);
            [workload.tick(5), workload.tick(205)]
        };
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }

    #[test]
    fn centroids_lose_no_sample_and_keep_the_mean() {
        let samples = Workload::new(9, 0).latencies();
        let centroids = centroids(&samples);
        assert_eq!(centroids.iter().map(|(_, count)| count).sum::<u64>(), samples.len() as u64);
        let sum: f64 = centroids.iter().map(|(mean, count)| mean * *count as f64).sum();
        assert!((sum - samples.iter().sum::<f64>()).abs() < 1e-6);
        assert!(centroids.len() < samples.len());
        assert!(centroids.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order, none twice");
    }

    #[test]
    fn the_spans_of_a_trace_are_linked() {
        let spans = Workload::new(2, 0).trace(1000);
        let ids: BTreeSet<_> = spans.iter().map(|span| span.id).collect();
        assert_eq!(ids.len(), 4);
        assert!(spans.iter().all(|span| span.trace == spans[0].trace));
        let linked = spans.iter().flat_map(|span| span.parents.iter().chain(&span.follows));
        assert!(linked.clone().all(|id| ids.contains(id)) && linked.count() == 4);
    }
}
