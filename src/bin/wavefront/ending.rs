//! How a command learns that it has to end.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use crate::collect::Signals;

/// The first SIGINT or SIGTERM, which ends a command in good order. A second one ends the process at once.
pub(crate) struct Ending {
    first: Receiver<()>,
}

impl Ending {
    /// Takes the signals from now on.
    pub(crate) fn listen() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let signals = {
            let _inside = runtime.enter();
            Signals::new()
        };
        let mut signals = signals?;
        let (tell, first) = channel();
        thread::Builder::new().name("wavefront-signals".into()).spawn(move || {
            runtime.block_on(async {
                signals.wait().await;
                // Nobody hears it if the command is over.
                let _ = tell.send(());
                std::process::exit(signals.wait().await);
            })
        })?;
        Ok(Self { first })
    }

    /// Waits until then; whether a signal came first.
    pub(crate) fn comes_before(&self, then: Instant) -> bool {
        match self.first.recv_timeout(then.saturating_duration_since(Instant::now())) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
            Err(RecvTimeoutError::Timeout) => false,
        }
    }
}
