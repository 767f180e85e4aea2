use wavefront_sdk::Kind;
use wavefront_sdk::transport::conformance::{Rig, check};
use wavefront_sdk::transport::{Fault, FaultError, Memory, Rates, Transport, TransportError};

use super::metrics;

struct InMemory(Memory);

impl Rig for InMemory {
    type Transport = Memory;

    fn transport(&mut self) -> Memory {
        self.0.clone()
    }

    fn received(&mut self) -> Vec<u8> {
        self.0.take().into_iter().flat_map(|batch| batch.bytes).collect()
    }
}

#[test]
fn memory_keeps_the_contract() {
    for memory in [Memory::new(), Memory::written()] {
        let report = check(&mut InMemory(memory)).unwrap();
        assert_eq!((report.kept.len(), report.skipped.len()), (5, 3), "{report:?}");
    }
}

/// Whatever is sent again by the rules, nothing is lost, and only what may have arrived arrives twice.
#[test]
fn chance_loses_nothing_that_is_sent_again() {
    let memory = Memory::new();
    let mut transport = Fault::new(memory.clone(), Rates::even(80).steps(42));
    for number in 0..1000 {
        let lines = [number * 3, number * 3 + 1, number * 3 + 2].map(|n| format!("m {n} source=s\n")).concat();
        let mut rest = lines.as_bytes();
        while let Err(error) = transport.send(metrics(rest)) {
            assert!(matches!(error, FaultError::Injected(_)));
            let done = error.lines_done() as usize;
            let skip: usize = rest.split_inclusive(|&byte| byte == b'\n').take(done).map(<[u8]>::len).sum();
            rest = &rest[skip..];
            assert!(!rest.is_empty());
        }
    }
    let mut values: Vec<u32> =
        memory.text().lines().map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect();
    assert!(values.len() > 3000, "some arrive twice");
    values.sort_unstable();
    values.dedup();
    assert!(values.into_iter().eq(0..3000));
    assert_eq!(memory.lines_of(Kind::Span), 0);
}
