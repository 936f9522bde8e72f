//! The process of a server, seen from outside and by its own census, while experiments run.

use std::time::{Duration, Instant};

use serde::Serialize;
use testbed::census::Census;
use testbed::{proc, server::Server};

use crate::event::Used;
use crate::hub::Hub;
use crate::stand::Stand;

/// The pause between two looks at a server with an experiment.
const BUSY: Duration = Duration::from_millis(100);
/// The pause between two looks at any other.
const IDLE: Duration = Duration::from_millis(1000);

/// One look at a process.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Usage {
    threads: u64,
    descriptors: u64,
    /// Proportional set size in bytes.
    memory: u64,
    /// Time on a processor since the start, in milliseconds.
    cpu: f64,
    /// Live work whose request has ended, by the server's own count; `None` when it keeps none.
    zombies: Option<u64>,
}

/// Looks at a server; `None` when it is gone.
fn look(server: &Server) -> Option<Usage> {
    let usage = proc::usage(server.pid()?).ok()?;
    let census = server.admin().and_then(|admin| Census::read(admin).ok());
    Some(Usage {
        threads: usage.threads,
        descriptors: usage.descriptors,
        memory: usage.pss,
        cpu: usage.cpu.as_secs_f64() * 1e3,
        zombies: census.map(|census| census.work.zombie),
    })
}

/// Tells every page of the servers' processes, without end.
pub(crate) fn watch(stands: &[Stand], hub: &Hub) {
    let began = Instant::now();
    let mut all_at = began;
    loop {
        let now = Instant::now();
        let all = now >= all_at;
        if all {
            all_at = now + IDLE;
        }
        for stand in stands.iter().filter(|stand| all || stand.is_busy()) {
            if let Some(usage) = look(&stand.pair().server) {
                let at = began.elapsed().as_secs_f64() * 1e3;
                hub.send("usage", &Used { server: stand.name(), at, usage });
            }
        }
        std::thread::sleep(BUSY);
    }
}
