//! What JavaScript calls: functions of numbers, and nothing more, so that they are the module's exports as they stand.

use core::cell::UnsafeCell;

use wasm_bindgen::prelude::wasm_bindgen;

use crate::border::Core;

#[cfg(target_feature = "atomics")]
compile_error!("the module's state is for one thread");

/// State without a lock.
struct Single(UnsafeCell<Core>);

// SAFETY: there is one thread.
#[allow(unsafe_code)]
unsafe impl Sync for Single {}

static CORE: Single = Single(UnsafeCell::new(Core::NEW));

fn core() -> &'static mut Core {
    // SAFETY: only what JavaScript calls has it, for as long as the call lasts. None of them calls another one, and none calls
    // JavaScript: the module imports nothing.
    #[allow(unsafe_code)]
    unsafe {
        &mut *CORE.0.get()
    }
}

/// Each is the method of [`Core`] of that name: what goes in and what comes out stands there.
macro_rules! exports {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $(
            #[wasm_bindgen]
            pub fn $name($($argument: $type),*) $(-> $result)? {
                core().$name($($argument),*)
            }
        )*
    };
}
exports! {
    areas(text: u32, words: u32, numbers: u32) -> *const u32;

    send(place: i32, what: u32, strings: u32, numbers: u32) -> i32;
    value(pipe: u32, series: u32, value: f64, time: f64) -> i32;
    forget_series(pipe: u32, series: u32);

    open(strings: u32, queue_lines: u32, batch_lines: u32, flush_interval: f64, patience: f64, direct: bool) -> i32;
    seed(pipe: u32, seed: u32);
    note_invalid(pipe: u32, kind: u32);
    due(pipe: u32, now: f64, most: u32, limit: u32) -> f64;
    answer(pipe: u32, number: u32, failure: u32, status: u32, retry_after: f64, now: f64) -> u32;
    urgent(pipe: u32) -> u32;
    heard(pipe: u32, tag: u32, over: u32) -> u32;
    begin_flush(pipe: u32) -> i32;
    left(pipe: u32) -> u32;
    begin_close(pipe: u32) -> bool;
    end_close(pipe: u32);
    forget(pipe: u32);
    ledger(pipe: u32);
}

#[cfg(feature = "store")]
exports! {
    store_attach(pipe: u32, always: bool, bytes: f64, age: f64);
    store_due(pipe: u32, now: f64) -> f64;
    store_reply(pipe: u32, reply: u32, now: f64) -> u32;
    store_mode(pipe: u32, always: bool);
    store_last(pipe: u32) -> bool;
}
