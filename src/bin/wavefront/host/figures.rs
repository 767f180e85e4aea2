//! Two readings to the figures that are sent: gauges of the second, and what the counters grew by between them.

use super::reading::{Memory, Reading};

/// One figure of this machine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    /// What of its kind it is about.
    pub(crate) tag: Option<(&'static str, String)>,
    pub(crate) form: Form,
}

/// How a figure is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a metric of that time, in s since 1970.
    Gauge(u64),
    /// As an increment of a delta counter, above zero.
    Increment,
}

/// What `now` says, and what its counters grew by since `before`.
///
/// A counter that `before` lacks starts here and says nothing yet. One that went back has started again at zero, and
/// grew by what it shows.
pub(crate) fn figures(before: &Reading, now: &Reading) -> Vec<Figure> {
    let mut out = Figures { at: now.at, all: Vec::new() };
    if let Some(cpu) = &now.cpu {
        out.gauge("host.cpu.usage", hundredths(cpu.total), None);
        for (core, usage) in cpu.cores.iter().enumerate() {
            out.gauge("host.cpu.core.usage", hundredths(*usage), Some(("core", &core.to_string())));
        }
    }
    if let Some([one, five, fifteen]) = now.load {
        out.gauge("host.load.1m", one, None);
        out.gauge("host.load.5m", five, None);
        out.gauge("host.load.15m", fifteen, None);
    }
    out.space(
        ["host.memory.total", "host.memory.available", "host.memory.used", "host.memory.usage"],
        now.memory,
        None,
    );
    out.space(["host.swap.total", "host.swap.available", "host.swap.used", "host.swap.usage"], now.swap, None);
    for it in &now.file_systems {
        let space = Memory { total: it.total, available: it.available };
        let names = ["host.disk.total", "host.disk.available", "host.disk.used", "host.disk.usage"];
        out.space(names, space, Some(("mount", &it.mount)));
    }
    for (name, device) in &now.devices {
        let Some(was) = before.devices.get(name) else { continue };
        let tag = ("device", name.as_str());
        out.growth("host.disk.read.bytes", was.read, device.read, tag);
        out.growth("host.disk.written.bytes", was.written, device.written, tag);
    }
    for (name, interface) in &now.interfaces {
        let Some(was) = before.interfaces.get(name) else { continue };
        let tag = ("interface", name.as_str());
        let (received, sent) = (&interface.received, &interface.sent);
        out.growth("host.network.received.bytes", was.received.bytes, received.bytes, tag);
        out.growth("host.network.received.packets", was.received.packets, received.packets, tag);
        out.growth("host.network.received.errors", was.received.errors, received.errors, tag);
        out.growth("host.network.sent.bytes", was.sent.bytes, sent.bytes, tag);
        out.growth("host.network.sent.packets", was.sent.packets, sent.packets, tag);
        out.growth("host.network.sent.errors", was.sent.errors, sent.errors, tag);
    }
    out.all
}

struct Figures {
    at: u64,
    all: Vec<Figure>,
}

impl Figures {
    fn gauge(&mut self, name: &'static str, value: f64, tag: Option<(&'static str, &str)>) {
        if value.is_finite() {
            let tag = tag.map(|(key, value)| (key, value.to_owned()));
            self.all.push(Figure { name, value, tag, form: Form::Gauge(self.at) });
        }
    }

    /// Total, available, used, and how much of it is used; nothing where there is none at all.
    fn space(&mut self, names: [&'static str; 4], space: Memory, tag: Option<(&'static str, &str)>) {
        if space.total == 0 {
            return;
        }
        let used = space.total.saturating_sub(space.available);
        let usage = hundredths(used as f64 / space.total as f64 * 100.0);
        let values = [space.total as f64, space.available as f64, used as f64, usage];
        for (name, value) in names.into_iter().zip(values) {
            self.gauge(name, value, tag);
        }
    }

    fn growth(&mut self, name: &'static str, before: u64, now: u64, (key, value): (&'static str, &str)) {
        let grown = now.checked_sub(before).unwrap_or(now);
        if grown > 0 {
            let tag = Some((key, value.to_owned()));
            self.all.push(Figure { name, value: grown as f64, tag, form: Form::Increment });
        }
    }
}

/// Percents are measured, not counted: more digits say nothing.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::reading::{Cpu, Device, FileSystem, Interface, Traffic};
    use super::*;

    fn counted(read: u64, bytes: u64, errors: u64) -> Reading {
        let device = Device { read, written: 0 };
        let received = Traffic { bytes, packets: bytes / 100, errors };
        let interface = Interface { received, sent: Traffic::default() };
        Reading {
            devices: BTreeMap::from([("sda1".into(), device)]),
            interfaces: BTreeMap::from([("eth0".into(), interface)]),
            ..Reading::default()
        }
    }

    fn told(before: &Reading, now: &Reading) -> Vec<(&'static str, f64)> {
        figures(before, now).into_iter().map(|figure| (figure.name, figure.value)).collect()
    }

    #[test]
    fn gauges_say_what_is_now() {
        let now = Reading {
            at: 1_493_773_500,
            cpu: Some(Cpu { total: 12.345_678, cores: vec![0.0, 100.0] }),
            memory: Memory { total: 1000, available: 250 },
            load: Some([0.5, 0.25, 0.125]),
            file_systems: vec![FileSystem { mount: "/srv".into(), total: 3, available: 2, ..FileSystem::default() }],
            ..Reading::default()
        };
        let all = figures(&Reading::default(), &now);
        assert!(all.iter().all(|figure| figure.form == Form::Gauge(1_493_773_500)));
        let of = |name: &str, tag: Option<&str>| {
            let mut found =
                all.iter().filter(|it| it.name == name && it.tag.as_ref().map(|(_, value)| value.as_str()) == tag);
            let value = found.next().map(|figure| figure.value);
            assert!(found.next().is_none(), "{name} is there twice");
            value
        };
        assert_eq!(of("host.cpu.usage", None), Some(12.35));
        assert_eq!(of("host.cpu.core.usage", Some("0")), Some(0.0));
        assert_eq!(of("host.cpu.core.usage", Some("1")), Some(100.0));
        assert_eq!(of("host.memory.used", None), Some(750.0));
        assert_eq!(of("host.memory.usage", None), Some(75.0));
        assert_eq!(of("host.load.15m", None), Some(0.125));
        assert_eq!(of("host.disk.usage", Some("/srv")), Some(33.33));
        assert_eq!(of("host.swap.total", None), None, "there is no swap");
        assert_eq!(all.len(), 3 + 3 + 4 + 4);
    }

    #[test]
    fn counters_say_what_they_grew_by() {
        let grown = told(&counted(100, 1000, 7), &counted(350, 1500, 7));
        let expected = [
            ("host.disk.read.bytes", 250.0),
            ("host.network.received.bytes", 500.0),
            ("host.network.received.packets", 5.0),
        ];
        assert_eq!(grown, expected, "what did not grow is left out");
        assert!(figures(&counted(0, 0, 0), &counted(1, 1, 1)).iter().all(|figure| figure.form == Form::Increment));
    }

    #[test]
    fn a_counter_that_went_back_has_started_again() {
        assert_eq!(
            told(&counted(1000, 0, 9), &counted(40, 0, 2)),
            [("host.disk.read.bytes", 40.0), ("host.network.received.errors", 2.0)]
        );
        assert_eq!(told(&counted(1000, 0, 0), &counted(0, 0, 0)), []);
    }

    #[test]
    fn a_new_counter_says_nothing_yet() {
        assert_eq!(told(&Reading::default(), &counted(1 << 40, 1 << 40, 3)), []);
        assert_eq!(told(&counted(5, 5, 5), &Reading::default()), []);
    }

    #[test]
    fn increments_add_up_to_the_counter() {
        let readings: Vec<_> = [3, 3, 10, 4096, 70_000].map(|bytes| counted(0, bytes, 0)).into();
        let sum: f64 = readings
            .windows(2)
            .flat_map(|pair| told(&pair[0], &pair[1]))
            .filter(|(name, _)| *name == "host.network.received.bytes")
            .map(|(_, value)| value)
            .sum();
        assert_eq!(sum, 69_997.0);
    }
}
