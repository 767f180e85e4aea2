//! `close`: what it waits for, and what it says of lines that nobody confirmed.

use std::io::Read;
use std::thread;
use std::time::Duration;

use wavefront_sdk::Kind;

use crate::{LONG, MUCH, Reader, acknowledge, large_deltas, listen, metrics, read_lines, tally, to, wait_until};

#[test]
fn close_ends_our_half_and_waits_for_the_peers() {
    let (listener, port) = listen();
    let sender = to(port).build().unwrap();
    metrics(&sender, 0..10);
    let handle = sender.clone();
    let closes = thread::spawn(move || handle.close(LONG));
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = Vec::new();
    // It comes to an end, though our side is still open.
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(crate::names(&bytes).len(), 10);
    assert_eq!(sender.ledger().row(Kind::Metric).written, 10, "not confirmed yet");
    drop(stream);
    assert_eq!(closes.join().unwrap().row(Kind::Metric).delivered, 10);
}

/// A FIN that comes before our own says nothing of what was read.
#[test]
fn a_fin_before_our_own_is_a_break() {
    let (listener, port) = listen();
    let sender = to(port).build().unwrap();
    metrics(&sender, 0..10);
    sender.flush(LONG).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let first = read_lines(&mut stream, 10);
    let reader = Reader::on(&listener);
    drop(stream);
    let row = *sender.close(LONG).row(Kind::Metric);
    assert_eq!((row.delivered, row.resent), (10, 10), "{row:?}");
    let received = tally(first.into_iter().chain(reader.received()));
    assert!(received.len() == 10 && received.values().all(|&count| count == 2), "{received:?}");
}

/// The peer is killed while we wait for its FIN, and what it had not acknowledged still gets through in time.
#[test]
fn what_was_not_acknowledged_at_the_half_close_goes_again() {
    let scratch = crate::Scratch::new();
    let mut mute = crate::peer::Peer::Mute.start(&scratch, "mute", 0);
    let sender = to(mute.port).build().unwrap();
    large_deltas(&sender, 0..MUCH / 8);
    let handle = sender.clone();
    let closes = thread::spawn(move || handle.close(2 * LONG));
    wait_until("all is written", || sender.ledger().row(Kind::Delta).written == MUCH / 8);
    mute.kill();
    let reader = crate::peer::Peer::Reads.start(&scratch, "reader", mute.port);
    let row = *closes.join().unwrap().row(Kind::Delta);
    assert_eq!((row.delivered + row.doubtful, row.dropped.total()), (MUCH / 8, 0), "{row:?}");
    let expected: Vec<_> = (row.doubtful..MUCH / 8).map(|n| format!("d.{n}")).collect();
    assert!(reader.received() == expected, "{row:?}");
}

/// The deadline is the deadline: what the peer's kernel has then is doubtful, the rest was not delivered.
#[test]
fn at_the_deadline_each_line_is_accounted_for() {
    let (listener, port) = listen();
    let sender = to(port).build().unwrap();
    metrics(&sender, 0..10);
    sender.flush(LONG).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    acknowledge(&mut stream, 10);
    let row = *sender.close(Duration::from_millis(300)).row(Kind::Metric);
    assert_eq!((row.doubtful, row.unsettled()), (10, 0), "it never closed: {row:?}");
    drop(stream);

    let sender = to(port).build().unwrap();
    large_deltas(&sender, 0..MUCH);
    let ledger = sender.close(Duration::from_secs(2));
    let row = *ledger.row(Kind::Delta);
    assert!(ledger.is_balanced() && row.unsettled() == 0 && row.dropped.closed > 0, "it never read: {row:?}");
    // Whatever it can read in the end was not said to be delivered.
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let there = crate::names(&bytes).len();
    assert!(row.delivered + row.doubtful <= there, "{there} lines were there: {row:?}");
}
