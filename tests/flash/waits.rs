//! A flash that answers later, and futures that are dropped before their end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use embedded_storage::nor_flash::{NorFlash as _, NorFlashErrorKind, ReadNorFlash as _};
use embedded_storage_async::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use wavefront_sdk::Kind;
use wavefront_sdk::delivery::{Config, Delivery, Errand, Keep, Lane, Millis, Mode, Slot, Spool, Stored};
use wavefront_sdk::store::{AsyncStore, Flash, FlashError, Head};

use super::{Chip, lines, open, records};

const PAGE: usize = 512;

/// Waits once before each thing it does, and once after.
struct Slow(Chip<4, PAGE>);

async fn wait() {
    let mut waited = false;
    poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl ErrorType for Slow {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Slow {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        self.0.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl NorFlash for Slow {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        wait().await;
        let result = self.0.erase(from, to);
        wait().await;
        result
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        wait().await;
        let result = self.0.write(offset, bytes);
        wait().await;
        result
    }
}

impl MultiwriteNorFlash for Slow {}

/// Polls a future at most so many times.
fn polled<F: Future>(future: F, most: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..most).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

#[test]
fn a_future_that_is_dropped_leaves_its_record_whole_or_away_and_the_store_of_use() {
    let mut dropped = 0;
    for most in 1.. {
        let chip = Chip::new(5);
        let size = chip.0.borrow().bytes.len() as u32;
        let mut store = Flash::new(Slow(chip.clone()), 0..size, [0; 256]).unwrap();
        let mut model = records(&mut open(&chip), &[Kind::Metric]);
        let mut all_ended = true;
        for number in 0..40_u32 {
            let (lines, count) = lines(90 + number, number.into());
            let head = Head::new(Kind::Metric, 1 + number % 4, count, 90 + number, number.into());
            let (ended, after) = if number % 8 < 5 {
                let mut after = model.clone();
                after.insert((head.kind, head.key), (head, lines.clone()));
                (polled(store.put(head, &lines), most), after)
            } else {
                let mut after = model.clone();
                after.remove(&(head.kind, head.key));
                (polled(store.remove(head.kind, head.key), most), after)
            };
            all_ended &= ended.is_some();
            dropped += u32::from(ended.is_none());
            // Seen by the store that goes on, and by one that is opened on what is there.
            let next = polled(store.next(Kind::Metric, 0), usize::MAX).unwrap().unwrap();
            let found = records(&mut open(&chip), &[Kind::Metric]);
            assert_eq!(next, found.values().next().map(|(head, _)| *head));
            match ended {
                Some(result) => assert_eq!((result, &found), (Ok(()), &after), "{most} polls, operation {number}"),
                None => assert!(found == model || found == after, "{most} polls, operation {number}"),
            }
            model = found;
        }
        if all_ended {
            break;
        }
    }
    assert!(dropped > 100, "{dropped} futures dropped");
}

#[test]
fn jobs_of_a_spool_run_on_it() {
    let chip = Chip::new(8);
    let mut store = Flash::new(Slow(chip.clone()), 0..8 * PAGE as u32, [0; 300]).unwrap();
    let slots = std::array::from_fn::<_, 4, _>(|_| Slot::new(Stored([0; 128])));
    let mut delivery = Delivery::new(Config::default(), slots, [Lane::new(Kind::Metric)]);
    let mut spool = Spool::new(Keep::new(Mode::Always), store.footprint(), &mut delivery.view());
    delivery.push(Kind::Metric, b"n 1 source=\"s\"\n", 1).unwrap();
    let ticket = delivery.flush();
    while let Errand::Do(mut job) = spool.poll(&mut delivery.view(), Millis(0), 0) {
        // Run for a moment, given up, and run again.
        assert!(polled(job.run_async(&mut store), 1).is_none_or(|result| result.is_ok()));
        let result = polled(job.run_async(&mut store), usize::MAX).unwrap();
        let result = result.map_err(|_: FlashError| unreachable!());
        spool.settle(&mut delivery.view(), job, result, Millis(0));
    }
    assert_eq!((delivery.left(&ticket), delivery.ledger().row(Kind::Metric).queued), (0, 1));
    assert_eq!(records(&mut open(&chip), &[Kind::Metric]).len(), 1);
}
