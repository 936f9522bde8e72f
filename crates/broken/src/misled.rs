//! The faults that take a client which is there for one that has left.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use broken::Fault;

use crate::connection::Conn;

/// The time for which a fault lets a client be silent: longer than the queries of a pool that is refilled, also when a retry doubles
/// them.
const SILENCE: Duration = Duration::from_millis(1200);

impl Conn<'_> {
    /// When a fault loses its patience with a client whose work runs.
    pub(crate) fn patience_at_work(&self) -> Option<Instant> {
        let since = self.guess.filled_at;
        let settings = &self.server.settings;
        match self.server.fault {
            Fault::TakesSilenceForEnds => Some(since + SILENCE),
            Fault::TimesWork => [
                settings.idle_timeout,
                settings.read_header_timeout,
                settings.read_timeout,
                settings.write_timeout,
            ]
            .into_iter()
            .min()
            .map(|least| since + least),
            _ => None,
        }
    }

    /// Reports whether a fault takes a client that is there for one that has left.
    pub(crate) fn is_taken_for_gone(&self) -> bool {
        match self.server.fault {
            Fault::TakesBytesForEnds => !self.ahead.is_empty(),
            Fault::CancelsOnReuse => self.requests > 1,
            Fault::CancelsAtSignals => self.server.winced.load(Ordering::Relaxed) > 0,
            Fault::TakesSilenceForEnds | Fault::TimesWork => {
                self.patience_at_work().is_some_and(|end| end <= Instant::now())
            }
            _ => false,
        }
    }
}
