//! A process seen from outside: threads, descriptors, memory, CPU time. Never the server's own word.

use std::time::Duration;

use procfs::process::Process;
use serde::Serialize;

use crate::Error;

/// One reading of `/proc/<pid>`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Threads.
    pub threads: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Proportional set size in bytes (`smaps_rollup`).
    pub pss: u64,
    /// The anonymous part of it: heap and stacks.
    pub pss_anon: u64,
    /// Time on a processor since the start, user and system.
    #[serde(serialize_with = "milliseconds")]
    pub cpu: Duration,
}

fn milliseconds<S: serde::Serializer>(cpu: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(cpu.as_secs_f64() * 1e3)
}

/// Reads the usage of the process `pid`.
///
/// # Errors
/// When the process is gone or `/proc` cannot be read.
pub fn usage(pid: u32) -> Result<Usage, Error> {
    read(pid).map_err(|source| Error::Proc { pid, source })
}

fn read(pid: u32) -> procfs::ProcResult<Usage> {
    let process = Process::new(pid as i32)?;
    let stat = process.stat()?;
    let ticks = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
    let rollup = process.smaps_rollup()?;
    let memory = rollup.memory_map_rollup.iter().next();
    let field = |name: &str| memory.and_then(|map| map.extension.map.get(name).copied()).unwrap_or(0);
    Ok(Usage {
        threads: stat.num_threads as u64,
        descriptors: process.fd_count()? as u64,
        pss: field("Pss"),
        pss_anon: field("Pss_Anon"),
        cpu: Duration::from_secs_f64(ticks),
    })
}

/// Another process that a server has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child {
    /// Its process id.
    pub pid: u32,
    /// When it started, in the kernel's ticks: a later process of the same id has another.
    started: u64,
}

/// Where a child process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It runs, or waits.
    Alive,
    /// It has ended, and its parent has not asked how: an entry in the table of processes is left.
    Defunct,
    /// Nothing is left of it.
    Gone,
}

impl Child {
    /// Reads where it stands.
    pub fn state(self) -> State {
        match Process::new(self.pid as i32).and_then(|process| process.stat()) {
            Ok(stat) if stat.starttime != self.started => State::Gone,
            Ok(stat) if stat.state == 'Z' || stat.state == 'X' => State::Defunct,
            Ok(_) => State::Alive,
            Err(_) => State::Gone,
        }
    }
}

/// Reads which processes the process `pid` has started that are not gone.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn children(pid: u32) -> Result<Vec<Child>, Error> {
    let all = procfs::process::all_processes().map_err(|source| Error::Proc { pid, source })?;
    // A process that ends while the list is read is not among them.
    let stats = all.filter_map(|process| process.ok()?.stat().ok());
    let children = stats.filter(|stat| stat.ppid == pid as i32);
    Ok(children.map(|stat| Child { pid: stat.pid as u32, started: stat.starttime }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_threads_descriptors_and_memory() {
        let usage = usage(std::process::id()).unwrap();
        assert!(usage.threads >= 1 && usage.descriptors >= 3 && usage.pss > 100_000, "{usage:?}");
    }

    #[test]
    fn a_child_is_found_until_it_is_reaped() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let is_it = |found: &Child| found.pid == child.id();
        let found = children(std::process::id()).unwrap().into_iter().find(is_it).unwrap();
        assert_ne!(found.state(), State::Gone, "it is not reaped yet");
        child.wait().unwrap();
        assert_eq!(found.state(), State::Gone);
    }

    #[test]
    fn a_process_that_is_gone_is_the_harness_s_problem() {
        assert!(usage(u32::MAX / 4).is_err_and(|error| error.is_local()));
    }
}
