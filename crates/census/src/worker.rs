//! Work in a process of its own: the server's executable, run again.
//!
//! A worker ticks and beats by itself. It ends when its work does, when it is killed, and when the server dies: it asks the
//! kernel for a signal at its parent's death. That signal is sent when the *thread* that started the worker ends, so that
//! thread must live as long as the process.

use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use contract::Ticks;
use rustix::process::Signal;

use crate::guards::{Job, Live};
use crate::witness::Witness;

/// The first argument that makes the executable a worker.
const WORKER: &str = "__work";

/// A worker process, counted until the guard is dropped.
#[derive(Debug)]
pub struct Process {
    _live: Live,
}

impl Job {
    /// Counts a worker process of this job.
    #[must_use]
    pub fn process(&self) -> Process {
        Process { _live: Live::new(&self.census, |counts| &counts.processes_live) }
    }

    /// Returns the command that does `ticks` in a process of its own, and beats under the name of this job.
    ///
    /// The process is the leader of a group of its own: a Ctrl-C at the terminal is the server's to obey, and its work ends
    /// when the server says so.
    #[must_use]
    pub fn worker(&self, ticks: Ticks) -> Command {
        // By this name the executable is found even after a new build has replaced its file.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("lab-worker").arg(WORKER).arg(std::process::id().to_string());
        command.args([ticks.work, ticks.tick].map(|duration| duration.as_nanos().to_string()));
        if let (Some(id), Some(witness)) = (&self.id, self.census.inner.witness.peer()) {
            command.args([&**id, &witness.to_string()]);
        }
        command.process_group(0);
        command
    }
}

/// Does the work and returns the exit status, if this process was started to be a worker. Call it first in `main`.
#[must_use]
pub fn if_asked() -> Option<ExitCode> {
    let orders = Orders::read()?;
    if rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).is_err() {
        return Some(ExitCode::FAILURE);
    }
    // The server may have died before the signal was asked for, and would then never send it.
    let alive = rustix::process::getppid().is_some_and(|pid| pid.as_raw_nonzero().get() == orders.server);
    Some(if alive { orders.obey() } else { ExitCode::FAILURE })
}

/// Does the same without the signal at the server's death: what a server does wrong whose workers outlive it.
#[must_use]
pub fn if_asked_orphan() -> Option<ExitCode> {
    Orders::read().map(Orders::obey)
}

/// The orders of a worker.
struct Orders {
    server: i32,
    ticks: Ticks,
    /// The name to beat under, and where to.
    beats: Option<(String, SocketAddr)>,
}

impl Orders {
    /// Reads the arguments of a worker; `None` in a process that is none.
    fn read() -> Option<Self> {
        let args: Vec<String> =
            env::args_os().skip(1).map(OsString::into_string).collect::<Result<_, _>>().ok()?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let [WORKER, server, work, tick, beats @ ..] = &args[..] else { return None };
        let duration = |nanos: &str| nanos.parse().ok().map(Duration::from_nanos);
        let ticks = Ticks { work: duration(work)?, tick: duration(tick)? };
        let beats = match beats {
            [id, witness] => Some(((*id).to_owned(), witness.parse().ok()?)),
            _ => None,
        };
        Some(Self { server: server.parse().ok()?, ticks, beats })
    }

    /// Ticks and beats to the end of the work.
    fn obey(self) -> ExitCode {
        let address = self.beats.as_ref().map(|(_, address)| *address);
        let Ok(witness) = Witness::open(address) else { return ExitCode::FAILURE };
        for (number, end) in (1_u64..).zip(self.ticks.from(Instant::now())) {
            thread::sleep(end.saturating_duration_since(Instant::now()));
            if let Some((id, _)) = &self.beats {
                witness.send(id, format_args!("beat {number}"));
            }
        }
        ExitCode::SUCCESS
    }
}
