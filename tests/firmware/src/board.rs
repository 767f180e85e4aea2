//! The board: UARTs of the CMSDK kind, and a clock.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_semihosting::debug;

/// Ticks of the SysTick in a millisecond: the board runs at 25 MHz.
const TICKS: u32 = 25_000;

static MILLIS: AtomicU32 = AtomicU32::new(0);

/// One of the board's UARTs.
pub struct Uart {
    base: usize,
}

impl Uart {
    /// The UART with this number, 0 to 2, switched on.
    pub fn new(number: usize) -> Self {
        let uart = Self { base: 0x4000_4000 + 0x1000 * number.min(2) };
        uart.write(BAUD_DIVIDER, 16);
        uart.write(CONTROL, 0b11);
        uart
    }

    /// Writes all bytes, waiting where that is needed.
    pub fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            while self.read(STATE) & 0b01 != 0 {}
            self.write(DATA, u32::from(*byte));
        }
    }

    /// Writes a byte if there is room.
    pub fn try_put(&mut self, byte: u8) -> bool {
        let room = self.read(STATE) & 0b01 == 0;
        if room {
            self.write(DATA, u32::from(byte));
        }
        room
    }

    /// A byte, if one has come.
    pub fn take(&mut self) -> Option<u8> {
        (self.read(STATE) & 0b10 != 0).then(|| self.read(DATA) as u8)
    }

    /// The next byte, however long it takes.
    pub fn wait(&mut self) -> u8 {
        loop {
            if let Some(byte) = self.take() {
                return byte;
            }
        }
    }

    fn read(&self, register: usize) -> u32 {
        // SAFETY: a register of this UART, which lies outside of all that Rust knows.
        unsafe { ((self.base + register) as *const u32).read_volatile() }
    }

    fn write(&self, register: usize, value: u32) {
        // SAFETY: as above.
        unsafe { ((self.base + register) as *mut u32).write_volatile(value) }
    }
}

impl embedded_io::ErrorType for Uart {
    type Error = core::convert::Infallible;
}

impl embedded_io::Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl embedded_io::Read for Uart {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Self::Error> {
        let Some(place) = into.first_mut() else { return Ok(0) };
        *place = self.wait();
        Ok(1)
    }
}

const DATA: usize = 0x0;
const STATE: usize = 0x4;
const CONTROL: usize = 0x8;
const BAUD_DIVIDER: usize = 0x10;

/// Starts the clock.
pub fn start_clock() {
    if let Some(mut core) = cortex_m::Peripherals::take() {
        core.SYST.set_clock_source(SystClkSource::Core);
        core.SYST.set_reload(TICKS - 1);
        core.SYST.clear_current();
        core.SYST.enable_counter();
        core.SYST.enable_interrupt();
    }
}

/// A millisecond has gone: for the SysTick's handler. A load and a store, for cores that have nothing better.
pub fn tick() -> u32 {
    let now = MILLIS.load(Ordering::Relaxed).wrapping_add(1);
    MILLIS.store(now, Ordering::Relaxed);
    now
}

/// Milliseconds since the start.
pub fn millis() -> u32 {
    MILLIS.load(Ordering::Relaxed)
}

/// Where the stack begins: the end of the RAM in `memory.x`.
const STACK: usize = 0x2040_0000;
/// How much of it is looked at.
const PAINTED: usize = 32 * 1024;
const PAINT: u32 = 0x5afe_c0de;

/// Paints the stack that is not in use.
#[inline(never)]
pub fn paint_stack() {
    let end = cortex_m::register::msp::read() as usize - 256;
    for word in (STACK - PAINTED..end).step_by(4) {
        // SAFETY: nothing lives below the stack pointer, and our own frame is smaller than what is left out.
        unsafe { (word as *mut u32).write_volatile(PAINT) }
    }
}

/// The most bytes of stack that were in use since it was painted.
pub fn stack_used() -> u32 {
    // SAFETY: RAM that is there, read only.
    let painted = |word: &usize| unsafe { (*word as *const u32).read_volatile() == PAINT };
    let untouched = (STACK - PAINTED..STACK).step_by(4).take_while(painted).count();
    (PAINTED - untouched * 4) as u32
}

/// Ends the program, and the emulator with it: status 0 or 1.
pub fn exit(good: bool) -> ! {
    debug::exit(if good { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}
