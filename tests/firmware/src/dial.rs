//! A connection that is dialled, through a modem that says where one begins and where it ends.

use embedded_io::{ErrorKind, ErrorType, Read, Write};

use crate::board::Uart;

/// What dials, and what the modem puts in front of a connection: a byte that no request and no answer has.
const BEGIN: u8 = 0;
/// What it puts behind one, or says where there is none.
const END: u8 = 4;

/// UART 0 carries the connection.
pub struct Dialled {
    line: Uart,
    up: bool,
}

impl Dialled {
    /// No connection.
    pub fn new() -> Self {
        Self { line: Uart::new(0), up: false }
    }

    /// Makes a new connection, of which nothing was read or written.
    ///
    /// # Errors
    /// Nobody is there.
    pub fn dial(&mut self) -> Result<(), ErrorKind> {
        self.line.put(&[BEGIN]);
        loop {
            match self.line.wait() {
                BEGIN => {
                    self.up = true;
                    return Ok(());
                }
                // That of the connection before.
                END if self.up => self.up = false,
                END => return Err(ErrorKind::NotConnected),
                _ => {}
            }
        }
    }
}

impl Default for Dialled {
    fn default() -> Self {
        Self::new()
    }
}

impl ErrorType for Dialled {
    type Error = ErrorKind;
}

impl Read for Dialled {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        let Some(place) = into.first_mut().filter(|_| self.up) else { return Ok(0) };
        *place = self.line.wait();
        self.up = *place != END;
        Ok(usize::from(self.up))
    }
}

impl Write for Dialled {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if !self.up {
            return Err(ErrorKind::BrokenPipe);
        }
        self.line.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
