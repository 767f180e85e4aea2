//! Laws of the delivery: random clients, drivers and receivers. The laws themselves are those of `tests/laws/delivery`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(feature = "std")]

#[path = "laws/delivery/mod.rs"]
mod delivery;

use core::time::Duration;

use delivery::{AMPLE, LONG, Op, PLENTY, Receiver, SOON, Setup, Way, run};
use proptest::prelude::*;
use wavefront_sdk::delivery::{Cut, Lease, Outcome, Overflow, Slot, Stored};
use wavefront_sdk::{Kind, KindSet};

fn kinds() -> impl Strategy<Value = KindSet> {
    prop_oneof![
        4 => Just(KindSet::ALL),
        1 => prop::sample::subsequence(vec![Kind::Metric, Kind::Delta, Kind::Span], 0..=3)
            .prop_map(|kinds| kinds.into_iter().collect()),
    ]
}

fn setup() -> impl Strategy<Value = Setup> {
    let lanes = prop_oneof![
        Just(vec![(Kind::Metric, 0)]),
        Just(vec![(Kind::Metric, 0), (Kind::Delta, 0)]),
        Just(vec![(Kind::Span, 1), (Kind::Delta, 0), (Kind::Metric, 2)]),
    ];
    let segment = prop_oneof![Just(32_usize), Just(64), 32..=256_usize];
    let slots = prop_oneof![2 => 1..=6_usize, 1 => Just(AMPLE)];
    let overflow = prop_oneof![Just(Overflow::DropNewest), Just(Overflow::DropOldest)];
    let receiver = prop_oneof![3 => Just(Receiver::Answers), 3 => Just(Receiver::Stream), 3 => Just(Receiver::Acks), 1 => Just(Receiver::Both)];
    let replay = (
        prop_oneof![Just(KindSet::ALL), Just(KindSet::ALL.without(Kind::Delta)), Just(KindSet::NONE)],
        prop_oneof![2 => Just(PLENTY), 1 => 0..=512_usize],
        prop_oneof![2 => Just(LONG), 1 => 0..=2_000_u64],
    );
    let sizes = (3..=60_usize, 64..=2_048_usize, prop_oneof![1..=4_u32, 5..=20_u32]);
    let single = prop_oneof![3 => Just(KindSet::NONE), 1 => Just(KindSet::NONE.with(Kind::Delta))];
    let start = prop_oneof![Just(1_000), SOON - 10_000..=SOON, SOON - 400_000..=SOON];
    let times = (prop_oneof![Just(0_u64), Just(50), Just(5_000)], 1..=5_usize, start);
    (lanes, segment, slots, overflow, receiver, replay, sizes, single, times).prop_map(
        |(lanes, segment, slots, overflow, receiver, replay, sizes, single, times)| Setup {
            lanes,
            slots,
            segment,
            queue_lines: sizes.0,
            queue_bytes: sizes.1,
            batch_lines: sizes.2,
            overflow,
            single,
            replay: replay.0,
            replay_bytes: replay.1,
            replay_for: replay.2,
            flush_every: times.0,
            most_out: times.1,
            start: times.2,
            receiver,
        },
    )
}

fn op(receiver: Receiver) -> impl Strategy<Value = Op> {
    let lens = || prop::collection::vec(5..=34_usize, 1..=5);
    let way = prop_oneof![6 => Just(Way::Push), 1 => Just(Way::TryPush), 2 => Just(Way::Urgent)];
    let limits = prop_oneof![
        6 => Just(Cut::NONE),
        1 => (0..=4_u32, 5..=64_usize).prop_map(|(lines, bytes)| Cut { lines, bytes }),
    ];
    let good = match receiver {
        Receiver::Answers => Just(Outcome::Delivered).boxed(),
        Receiver::Stream => Just(Outcome::Written).boxed(),
        Receiver::Acks => (0..200_u32).prop_map(Outcome::Unacknowledged).boxed(),
        Receiver::Both => prop_oneof![Just(Outcome::Delivered), Just(Outcome::Written)].boxed(),
    };
    // A stream does not answer, so it does not refuse either.
    let stream = matches!(receiver, Receiver::Stream | Receiver::Acks);
    let refusals = if stream { 0 } else { 3 };
    let after = prop::option::of((0..3_000_u64).prop_map(Duration::from_millis));
    let done = if stream { 0..=0_u32 } else { 0..=3_u32 };
    let outcome = prop_oneof![
        6 => good,
        2 => (done, after).prop_map(|(done, after)| Outcome::Retry { done, after }),
        1 => Just(Outcome::Unreachable),
        1 => Just(Outcome::Auth),
        refusals => Just(Outcome::TooLarge),
        refusals => (398..404_u16).prop_map(Outcome::Rejected),
    ];
    let wish = (0..=12_usize, 0..=200_usize).prop_map(|(lines, bytes)| Lease { lines, bytes });
    let least = (0..=4_usize, 0..40_usize).prop_map(|(lines, bytes)| Lease { lines, bytes });
    let index = 0..64_usize;
    prop_oneof![
        24 => (0..3_usize, way, lens()).prop_map(|(lane, way, lens)| Op::Push { lane, way, lens }),
        4 => (0..3_usize, wish, least).prop_map(|(lane, wish, least)| Op::Lease { lane, wish, least }),
        5 => (index.clone(), any::<bool>(), lens())
            .prop_map(|(lease, adopt, lens)| Op::Return { lease, adopt, lens }),
        24 => (kinds(), limits).prop_map(|(kinds, limits)| Op::Poll { kinds, limits }),
        18 => (index, outcome).prop_map(|(token, outcome)| Op::Outcome { token, outcome }),
        8 => prop_oneof![0..200_u64, 0..400_000_u64].prop_map(Op::Forward),
        2 => prop_oneof![0..200_u64, 0..400_000_u64].prop_map(Op::Back),
        8 => Just(Op::Flush),
        4 => kinds().prop_map(Op::Lost),
        2 => kinds().prop_map(Op::Confirm),
        if receiver == Receiver::Acks { 8 } else { 1 } => (kinds(), 0..200_u32)
            .prop_map(|(kinds, last)| Op::Acknowledged(kinds, last)),
        1 => (0..3_usize).prop_map(|lane| Op::Note { lane }),
        1 => prop_oneof![3 => Just(Op::Close), 1 => Just(Op::Abandon)],
    ]
}

fn case() -> impl Strategy<Value = (Setup, Vec<Op>)> {
    setup().prop_flat_map(|setup| {
        let ops = prop::collection::vec(op(setup.receiver), 1..AMPLE);
        (Just(setup), ops)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn laws_hold_with_buffers_made_on_demand((setup, ops) in case()) {
        run::<Box<[u8]>>(&setup, &ops, |_| Slot::empty(), |size| vec![0; size].into_boxed_slice());
    }

    #[test]
    fn laws_hold_with_static_buffers((mut setup, ops) in case()) {
        setup.segment = 64;
        run::<[u8; 64]>(&setup, &ops, |_| Slot::new([0; 64]), |_| [0; 64]);
    }

    #[test]
    fn laws_hold_with_static_buffers_on_the_scale_of_a_server((mut setup, ops) in case()) {
        setup.segment = 64;
        run::<Stored<[u8; 64]>>(&setup, &ops, |_| Slot::new(Stored([0; 64])), |_| Stored([0; 64]));
    }

    #[test]
    fn laws_hold_with_borrowed_buffers((setup, ops) in case()) {
        run::<&'static mut [u8]>(
            &setup,
            &ops,
            |size| Slot::new(Box::leak(vec![0; size].into_boxed_slice())),
            |size| Box::leak(vec![0; size].into_boxed_slice()),
        );
    }
}

/// Runs in which the model once was wrong.
fn runs(most_out: usize, receiver: Receiver, replay_bytes: usize, ops: &[Op]) {
    let setup = Setup {
        lanes: vec![(Kind::Metric, 0)],
        slots: AMPLE,
        segment: 64,
        queue_lines: 27,
        queue_bytes: 1_649,
        batch_lines: 2,
        overflow: Overflow::DropOldest,
        single: KindSet::NONE,
        replay: KindSet::ALL,
        replay_bytes,
        replay_for: 1_164,
        flush_every: 0,
        most_out,
        start: 0,
        receiver,
    };
    run::<Box<[u8]>>(&setup, ops, |_| Slot::empty(), |size| vec![0; size].into_boxed_slice());
}

#[test]
fn a_loss_is_told_between_two_times_of_giving_up() {
    let ops = [
        Op::Push { lane: 0, way: Way::Push, lens: vec![23] },
        Op::Poll { kinds: KindSet::ALL, limits: Cut::NONE },
        Op::Outcome { token: 0, outcome: Outcome::Written },
        Op::Lost(KindSet::ALL),
        Op::Abandon,
        Op::Note { lane: 0 },
        Op::Abandon,
    ];
    runs(3, Receiver::Stream, 22, &ops);
}

#[test]
fn giving_up_twice_is_giving_up_once() {
    let ops = [
        Op::Push { lane: 0, way: Way::Push, lens: vec![5, 11] },
        Op::Push { lane: 0, way: Way::Push, lens: vec![5, 7, 15, 22] },
        Op::Flush,
        Op::Poll { kinds: KindSet::ALL, limits: Cut::NONE },
        Op::Outcome { token: 0, outcome: Outcome::Unacknowledged(0) },
        Op::Poll { kinds: KindSet::ALL, limits: Cut::NONE },
        Op::Abandon,
        Op::Abandon,
    ];
    runs(5, Receiver::Acks, PLENTY, &ops);
}
