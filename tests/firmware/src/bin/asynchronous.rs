//! The same as `blocking`, with two tasks: one measures, one takes lines to the UARTs.

#![no_std]
#![no_main]

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use cortex_m_rt::{entry, exception};
use firmware::board;
use firmware::link::{Link, report, say};
use firmware::sensors::{LINES, Sensors, turned};
use firmware::shared::Shared;
use wavefront_sdk::Kind;
use wavefront_sdk::delivery::Millis;
use wavefront_sdk::uplink::{Next, Uplink};

static QUEUE: Shared<12, 7> = Shared::empty();

fn now() -> Millis {
    Millis(u64::from(board::millis()))
}

/// Until the next tick: time enough for others to have their turn.
async fn next_tick() {
    let before = board::millis();
    poll_fn(|_| if board::millis() == before { Poll::Pending } else { Poll::Ready(()) }).await;
}

async fn turn() {
    let mut had = false;
    poll_fn(|_| if core::mem::replace(&mut had, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

async fn measure() {
    let mut sensors = Sensors::new();
    while !sensors.are_done(board::millis()) {
        if sensors.sent < LINES {
            sensors.step(&mut &QUEUE);
        }
        // The uplink is to have sent it all, or to know that it cannot.
        next_tick().await;
    }
}

/// An executor that asks again and again, whoever may have been woken.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

#[entry]
fn main() -> ! {
    static mut SEGMENTS: [[u8; 512]; 12] = [[0; 512]; 12];

    board::paint_stack();
    QUEUE.fill(SEGMENTS, Kind::ALL);
    let mut uplink = Uplink::new(&QUEUE, Link::new());
    board::start_clock();
    let wait = async |next| match next {
        Next::Now => turn().await,
        _ => next_tick().await,
    };
    block_on(async {
        let (mut run, mut measured) = (pin!(uplink.run(now, wait)), pin!(measure()));
        poll_fn(|context| {
            let _ = run.as_mut().poll(context);
            measured.as_mut().poll(context)
        })
        .await;
    });
    let ledger = block_on(uplink.close_async(now, wait, Duration::from_secs(60)));
    let modem = &mut uplink.transport().modem;
    say(modem, b"stack ", board::stack_used());
    report(modem, &ledger);
    board::exit(ledger.is_balanced())
}

#[exception]
fn SysTick() {
    turned(&mut &QUEUE, board::tick());
}
