//! Connections that break: what goes again, what is doubtful, and that it is noticed without new lines.

use std::io::Read;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use wavefront_sdk::sender::Replay;
use wavefront_sdk::transport::{Batch, Failure, Tcp, Transport, TransportError};
use wavefront_sdk::{Kind, KindSet, Sender};

use crate::peer::Peer;
use crate::{
    LONG, MUCH, Reader, Scratch, acknowledge, deltas, large_deltas, listen, metrics, one_of_each, read_lines, tally,
    to, wait_until,
};

/// The bytes that the peer's kernel had not acknowledged go again to the line, deltas too; those before are doubtful.
#[test]
fn a_peer_killed_with_full_buffers_gets_again_exactly_what_was_not_acknowledged() {
    let scratch = Scratch::new();
    let mut mute = Peer::Mute.start(&scratch, "mute", 0);
    let sender = to(mute.port).replay(Replay::Unacknowledged).replay_window(64 << 20, 60 * LONG).build().unwrap();
    large_deltas(&sender, 0..MUCH);
    wait_until("the peer's buffers are full", || {
        let before = sender.ledger();
        thread::sleep(Duration::from_millis(200));
        before.row(Kind::Delta).written > 0 && before == sender.ledger()
    });
    mute.kill();
    let reader = Peer::Reads.start(&scratch, "reader", mute.port);
    let row = *sender.close(LONG).row(Kind::Delta);
    assert_eq!((row.accepted, row.unsettled(), row.dropped.total()), (MUCH, 0, 0), "{row:?}");
    assert!(row.doubtful > 0 && row.resent > 0, "{row:?}");
    let again: Vec<_> = (row.doubtful..MUCH).map(|n| format!("d.{n}")).collect();
    let received = reader.received();
    assert_eq!(received.len(), again.len());
    assert!(received == again, "in order, once, and from the first that was not acknowledged whole");
    assert_eq!(row.delivered, received.len());
}

/// What the peer's kernel had is sent again by the choice of the kinds, without new lines to send.
#[test]
fn a_reset_behind_acknowledged_lines_replays_the_window_by_kind() {
    let all = KindSet::ALL;
    for (replay, again) in [
        (Replay::All, all),
        (Replay::Idempotent, all.without(Kind::Delta).without(Kind::Histogram)),
        (Replay::Unacknowledged, KindSet::NONE),
    ] {
        let (listener, port) = listen();
        let sender = to(port).replay(replay).build().unwrap();
        one_of_each(&sender);
        sender.flush(LONG).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        acknowledge(&mut stream, 5);
        let reader = Reader::on(&listener);
        // What it has not read makes it a reset.
        drop(stream);
        let row = |kind| *sender.ledger().row(kind);
        let sent = [Kind::Metric, Kind::Delta, Kind::Histogram, Kind::Span, Kind::Event];
        wait_until("the break is noticed", || {
            sent.iter().all(|&kind| row(kind).resent + row(kind).doubtful == 1 && row(kind).in_flight == 0)
        });
        let ledger = sender.close(LONG);
        for kind in sent {
            let (row, goes) = (*ledger.row(kind), again.contains(kind));
            let expected = (usize::from(goes), usize::from(goes), usize::from(!goes));
            assert_eq!((row.delivered, row.resent, row.doubtful), expected, "{replay:?} {kind}");
        }
        let received = tally(reader.received());
        assert_eq!(received.len(), sent.iter().filter(|&&kind| again.contains(kind)).count());
        assert!(received.values().all(|&count| count == 1), "{received:?}");
    }
}

/// The plain FIN of a process that was killed after it had read everything, or of a proxy that has waited too long, says
/// nothing of what was read.
#[test]
fn an_idle_close_is_a_break_and_the_next_lines_are_not_lost() {
    let (listener, port) = listen();
    let sender = to(port).build().unwrap();
    metrics(&sender, 0..10);
    deltas(&sender, 0..10);
    sender.flush(LONG).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let first = read_lines(&mut stream, 20);
    let reader = Reader::on(&listener);
    drop(stream);
    wait_until("the close is noticed", || sender.ledger().row(Kind::Delta).doubtful == 10);
    metrics(&sender, 10..20);
    deltas(&sender, 10..20);
    let ledger = sender.close(LONG);
    assert_eq!((ledger.row(Kind::Metric).delivered, ledger.row(Kind::Metric).resent), (20, 10));
    assert_eq!((ledger.row(Kind::Delta).delivered, ledger.row(Kind::Delta).doubtful), (10, 10));
    let received = tally(first.into_iter().chain(reader.received()));
    assert_eq!(received.len(), 40, "nothing is missing");
    for (name, count) in received {
        let twice = (0..10).any(|n| name == format!("m.{n}"));
        assert_eq!(count, 1 + usize::from(twice), "{name}");
    }
}

/// A peer that closes again and again while lines flow: at least once, and the ledger says how much more than once.
#[test]
fn closes_between_sends_lose_nothing() {
    let (listener, port) = listen();
    let sender = to(port).replay(Replay::All).flush_interval(Duration::from_millis(5)).build().unwrap();
    // From the end of the loop on, nothing is closed any more that was not read.
    let (last, ready) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (is_last, is_ready) = (last.clone(), ready.clone());
    let server = thread::spawn(move || {
        let mut received = Vec::new();
        let mut rounds = 0;
        while !is_last.load(Ordering::SeqCst) {
            rounds += 1;
            let (mut stream, _) = listener.accept().unwrap();
            received.extend(read_lines(&mut stream, 1));
            if rounds % 3 == 0 {
                // What comes now is acknowledged and not read.
                thread::sleep(Duration::from_millis(20));
            } else {
                stream.shutdown(Shutdown::Both).unwrap();
            }
        }
        is_ready.store(true, Ordering::SeqCst);
        let (mut stream, _) = listener.accept().unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        received.extend(crate::names(&rest));
        (received, rounds)
    });
    for n in 0..2_000 {
        metrics(&sender, n..n + 1);
        deltas(&sender, n..n + 1);
        if n % 10 == 0 {
            thread::sleep(Duration::from_millis(2));
        }
    }
    last.store(true, Ordering::SeqCst);
    wait_until("the last connection comes", || ready.load(Ordering::SeqCst));
    let total = sender.close(LONG).total();
    assert_eq!((total.delivered, total.failures()), (4_000, 0), "{total:?}");
    let (received, rounds) = server.join().unwrap();
    assert!(rounds > 3, "{rounds} connections closed");
    let duplicates = received.len() - tally(received.iter().cloned()).len();
    assert_eq!(received.len() - duplicates, 4_000, "nothing is missing");
    assert!(duplicates <= total.resent, "{duplicates} duplicates, {} sent again", total.resent);
}

#[test]
fn kinds_of_one_port_share_one_connection() {
    let (lines, port) = listen();
    let (traces, trace_port) = listen();
    let (lines, traces) = (Reader::on(&lines), Reader::on(&traces));
    let sender = Sender::builder(&format!("tcp://127.0.0.1:{port}?traces={trace_port}")).source("s").build().unwrap();
    for _ in 0..3 {
        one_of_each(&sender);
        sender.flush(LONG).unwrap();
    }
    assert_eq!(sender.close(LONG).total().delivered, 15);
    let connections = [&lines, &traces].map(|reader| reader.connections.load(Ordering::SeqCst));
    assert_eq!((connections, lines.received().len(), traces.received().len()), ([1, 1], 12, 3));
}

/// Neither time nor want of room makes lines delivered that the peer's kernel does not have.
#[test]
fn the_window_ends_for_acknowledged_lines_only() {
    let (listener, port) = listen();
    let window = Duration::from_millis(50);
    let sender = to(port).replay_window(256 << 10, window).build().unwrap();
    deltas(&sender, 0..1);
    sender.flush(LONG).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    acknowledge(&mut stream, 1);
    wait_until("the window is over", || sender.ledger().row(Kind::Delta).delivered == 1);

    large_deltas(&sender, 1..MUCH);
    wait_until("the peer's buffers are full", || {
        let before = sender.ledger();
        thread::sleep(4 * window);
        before == sender.ledger()
    });
    let row = *sender.ledger().row(Kind::Delta);
    let mut bytes = vec![0; 64 << 20];
    let there = stream.peek(&mut bytes).unwrap();
    let whole = bytes[..there].iter().filter(|&&byte| byte == b'\n').count();
    assert!(row.delivered <= whole && row.written > 0, "{whole} lines are with the peer's kernel: {row:?}");

    let reads = thread::spawn(move || read_lines(&mut stream, MUCH));
    let row = *sender.close(LONG).row(Kind::Delta);
    assert_eq!((row.delivered, row.resent), (MUCH, 0), "{row:?}");
    let received = reads.join().unwrap();
    assert!(received == (0..MUCH).map(|n| format!("d.{n}")).collect::<Vec<_>>());
}

/// What the transport says of its connection, and of the last one when that is gone.
#[test]
fn a_transport_tells_what_the_peers_kernel_has_not() {
    let (listener, port) = listen();
    let mut tcp = Tcp::new("127.0.0.1", port).write_timeout(Duration::from_millis(300));
    assert_eq!(tcp.unacknowledged(), None, "there was no connection yet");
    let line = b"m 1 source=s\n";
    tcp.send(Batch::new(Kind::Metric, line, 1)).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    acknowledge(&mut stream, 1);
    wait_until("the peer's kernel has it", || tcp.unacknowledged() == Some(0));

    // Of batches that go nowhere, the last one is written in part.
    let batch = line.repeat(10_000);
    let mut accepted = line.len() as u64;
    let failed = loop {
        match tcp.send(Batch::new(Kind::Metric, &batch, 10_000)) {
            Ok(_) => accepted += batch.len() as u64,
            Err(error) => break error,
        }
    };
    assert_eq!(failed.kind(), Failure::Broken);
    let left = tcp.unacknowledged().unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert!(left > 0 && accepted - left <= all.len() as u64, "{left} of {accepted}, {} arrived", all.len());

    // Our FIN is not one of them.
    tcp.send(Batch::new(Kind::Metric, line, 1)).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    acknowledge(&mut stream, 1);
    wait_until("the peer's kernel has it", || tcp.unacknowledged() == Some(0));
    assert_eq!(tcp.finish(Duration::from_millis(50)).unwrap_err().kind(), Failure::Timeout);
    assert_eq!(tcp.unacknowledged(), Some(0));
}

/// A peer whose window stays shut is given up, though its kernel is alive.
#[test]
fn a_peer_that_keeps_its_window_shut_is_given_up() {
    let (listener, port) = listen();
    let mut tcp = Tcp::new("127.0.0.1", port).write_timeout(2 * LONG).ack_timeout(Duration::from_millis(500));
    let batch = b"m 1 source=s\n".repeat(1_000_000);
    let error = tcp.send(Batch::new(Kind::Metric, &batch, 1_000_000)).unwrap_err();
    assert_eq!(error.kind(), Failure::Broken);
    assert!(error.io().raw_os_error().is_some(), "the system gave it up, not our clock: {error}");
    drop(listener);
}
