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
    /// Of it, anonymous memory: heap and stacks.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_threads_descriptors_and_memory() {
        let usage = usage(std::process::id()).unwrap();
        assert!(usage.threads >= 1 && usage.descriptors >= 3 && usage.pss > 100_000, "{usage:?}");
    }

    #[test]
    fn a_process_that_is_gone_is_the_harness_s_problem() {
        assert!(usage(u32::MAX / 4).is_err_and(|error| error.is_local()));
    }
}
