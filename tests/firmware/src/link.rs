//! The link to the receiver: UARTs behind modems, whose carrier comes and goes.

use core::fmt;
use core::future::poll_fn;
use core::task::Poll;

use decimal::Decimal;
use wavefront_sdk::Kind;
use wavefront_sdk::delivery::Ledger;
use wavefront_sdk::transport::{Accepted, AsyncTransport, Batch, Failure, Transport, TransportError};

use crate::board::Uart;

/// UART 0 takes lines to the port for metrics, UART 1 to the port for traces. On UART 2 the modem says `+` when there is
/// a carrier and `-` when there is none, and hears how many lines were written before; `f` makes the link forget the next
/// batch.
pub struct Link {
    lines: Uart,
    traces: Uart,
    pub modem: Uart,
    up: bool,
    forget: bool,
    pub written: u32,
}

/// Says `words` and a number to a modem, as a line.
pub fn say(modem: &mut Uart, words: &[u8], number: u32) {
    modem.put(words);
    modem.put(Decimal::of(number).as_bytes());
    modem.put(b"\n");
}

/// There is no carrier.
#[derive(Debug)]
pub struct NoCarrier;

impl Link {
    /// A link that has a carrier.
    pub fn new() -> Self {
        Self { lines: Uart::new(0), traces: Uart::new(1), modem: Uart::new(2), up: true, forget: false, written: 0 }
    }

    /// Hears what the modem has to say.
    pub fn listen(&mut self) -> bool {
        while let Some(byte) = self.modem.take() {
            match byte {
                b'f' => self.forget = true,
                b'-' if self.up => {
                    say(&mut self.modem, b"written ", self.written);
                    self.up = false;
                }
                _ => self.up = byte == b'+',
            }
        }
        self.up
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for Link {
    type Error = NoCarrier;

    fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, NoCarrier> {
        if !self.listen() {
            return Err(NoCarrier);
        }
        let uart = if matches!(batch.kind, Kind::Span | Kind::SpanLogs) { &mut self.traces } else { &mut self.lines };
        if !core::mem::take(&mut self.forget) {
            uart.put(batch.bytes);
        }
        self.written += batch.lines;
        Ok(Accepted::Written)
    }
}

impl AsyncTransport for Link {
    type Error = NoCarrier;

    async fn send(&mut self, batch: Batch<'_>) -> Result<Accepted, NoCarrier> {
        if !self.listen() {
            return Err(NoCarrier);
        }
        let uart = if matches!(batch.kind, Kind::Span | Kind::SpanLogs) { &mut self.traces } else { &mut self.lines };
        for byte in batch.bytes {
            poll_fn(|_| if uart.try_put(*byte) { Poll::Ready(()) } else { Poll::Pending }).await;
        }
        self.written += batch.lines;
        Ok(Accepted::Written)
    }
}

impl fmt::Display for NoCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no carrier")
    }
}

impl core::error::Error for NoCarrier {}

impl TransportError for NoCarrier {
    fn kind(&self) -> Failure {
        Failure::Connect
    }
}

/// Tells what became of every line.
#[inline(never)]
pub fn report(modem: &mut Uart, ledger: &Ledger) {
    let total = ledger.total();
    let counts = [
        (b"accepted ".as_slice(), total.accepted),
        (b"recovered ", total.recovered),
        (b"delivered ", total.delivered),
        (b"queue_full ", total.dropped.queue_full),
        (b"dropped ", total.dropped.total()),
        (b"doubtful ", total.doubtful),
        (b"invalid ", total.invalid),
        (b"resent ", total.resent),
        (b"unsettled ", total.unsettled()),
    ];
    for (name, count) in counts {
        say(modem, name, count as u32);
    }
    for (kind, row) in ledger.rows() {
        modem.put(b"lost ");
        modem.put(kind.as_str().as_bytes());
        say(modem, b" ", row.dropped.total() as u32);
    }
    modem.put(b"end\n");
}

mod decimal {
    /// A number's digits.
    pub struct Decimal {
        digits: [u8; 10],
        first: usize,
    }

    impl Decimal {
        pub fn of(mut number: u32) -> Self {
            let (mut digits, mut first) = ([b'0'; 10], 10);
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
                first -= 1;
                if number == 0 {
                    break;
                }
            }
            Self { digits, first }
        }

        pub fn as_bytes(&self) -> &[u8] {
            self.digits.get(self.first..).unwrap_or_default()
        }
    }
}
