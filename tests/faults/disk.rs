//! The disk under a sender's store: full, and read-only while the sender runs.

use std::path::Path;
use std::time::Duration;

use wavefront_sdk::delivery::{Backoff, Keep, Mode};
use wavefront_sdk::store::Directory;
use wavefront_sdk::{Metric, Sender};

use super::account::{Account, LONG, until};
use super::network::run;
use super::receiver::{Receiver, Scratch};

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("m{number}"))
}

fn sender(receiver: &Receiver, store: &Path, mode: Mode, queue: usize) -> Sender {
    Sender::builder(&format!("proxy://{}", receiver.address))
        .own_metrics(None)
        .source("s")
        .in_flight(1)
        .max_queue_size(queue)
        .batch_size(500)
        .flush_interval(Duration::from_millis(50))
        .backoff(Backoff::new(Duration::from_millis(5), Duration::from_millis(50)))
        .store(Directory::open(store).unwrap(), Keep::new(mode))
        .build()
        .unwrap()
}

fn word(mode: Mode) -> &'static str {
    if mode == Mode::Always { "always" } else { "overflow" }
}

/// A receiver that is away, and a disk of this size.
fn place(options: &str) -> (Receiver, Scratch) {
    run("ip link set lo up");
    let mut receiver = Receiver::start("disk");
    receiver.kill();
    let scratch = Scratch::new("store");
    run(&format!("mount -t tmpfs -o {options} none {}", scratch.0.display()));
    (receiver, scratch)
}

/// Ends the sender, and holds its ledger to what the receiver has.
fn settle(sender: &Sender, receiver: &mut Receiver, sent: usize) -> Account {
    let ledger = sender.close(LONG);
    receiver.kill();
    let text = receiver.text();
    assert_eq!(ledger.total().stored, 0, "{ledger:?}");
    Account::settle(names(sent), text.lines(), &ledger)
}

pub(crate) fn a_disk_is_full(mode: Mode) {
    let (mut receiver, disk) = place("size=1m");
    let sender = sender(&receiver, &disk.0, mode, 2_000);
    // The first does not fit any more; then everything is refused, and told at once.
    let sent = 60_000;
    let refused: Vec<_> = names(sent).filter(|name| sender.send(Metric::new(name, 1.0)).is_err()).collect();
    let total = sender.ledger().total();
    assert!(total.stored > 5_000 && refused.len() > 5_000, "{} refused, {total:?}", refused.len());
    assert_eq!(total.dropped.total(), refused.len(), "{total:?}");

    // When there is room again, what comes is kept again.
    receiver.revive();
    until("room", || sender.ledger().total().stored == 0);
    receiver.kill();
    for number in sent..sent + 3_000 {
        sender.send(Metric::new(&format!("m{number}"), 1.0)).unwrap();
    }
    until("the disk in use again", || sender.ledger().total().stored > 0);
    receiver.revive();
    let account = settle(&sender, &mut receiver, sent + 3_000);
    assert_eq!(account.missing, refused.into_iter().collect());
    account.note(&format!("HTTP, stored ({}): the disk full", word(mode)));
    drop(sender);
    run(&format!("umount {}", disk.0.display()));
}

pub(crate) fn a_disk_becomes_read_only(mode: Mode) {
    let (mut receiver, disk) = place("size=8m");
    let sender = sender(&receiver, &disk.0, mode, 50_000);
    let send = |range: std::ops::Range<usize>| {
        range.for_each(|number| sender.send(Metric::new(&format!("m{number}"), 1.0)).unwrap());
    };
    send(0..2_000);
    sender.flush(LONG).unwrap();

    // The sender's files stay open; whatever it opens anew is read-only.
    let path = disk.0.display();
    run(&format!("mount --bind {path} {path}"));
    run(&format!("mount -o remount,bind,ro {path}"));
    send(2_000..4_000);
    let left = sender.flush(Duration::from_millis(300)).unwrap_err().left;
    assert_eq!(left, 2_000, "not durable, and not said to be");

    // They are sent all the same, and in their order.
    receiver.revive();
    until("what was before and what came since", || sender.ledger().total().delivered == 4_000);
    run(&format!("umount {path}"));
    send(4_000..6_000);
    let account = settle(&sender, &mut receiver, 6_000);
    assert_eq!((account.missing.len(), account.duplicates), (0, 0));
    account.note(&format!("HTTP, stored ({}): the disk read-only for a while", word(mode)));
    let text = receiver.text();
    let arrived = text.lines().map(|line| super::account::name_of(line).to_owned());
    assert!(arrived.eq(names(6_000)), "they overtook each other");
    drop(sender);
    run(&format!("umount {path}"));
}
