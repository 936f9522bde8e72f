//! The server's costs under a load, read from outside.

use std::collections::BTreeMap;
use std::time::Duration;

use procfs::process::Process;

/// A reading of `/proc/PID`.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    cpu: Duration,
    switches: BTreeMap<i32, (u64, u64)>,
}

/// The difference of two readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spent {
    /// Time on a processor, of threads that have ended too; the kernel counts it in steps of 10 ms.
    pub cpu: Duration,
    /// The number of times that a thread which still lives gave up its processor to wait.
    pub voluntary: u64,
    /// The number of times that the processor was taken from it.
    pub involuntary: u64,
}

impl Cost {
    /// Reads the processor time of the process and the context switches of its threads.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn read(pid: u32) -> Result<Self, testbed::Error> {
        read(pid).map_err(|source| testbed::Error::Proc { pid, source })
    }

    /// Returns the costs since `before`.
    pub fn since(&self, before: &Self) -> Spent {
        let mut spent = Spent { cpu: self.cpu.saturating_sub(before.cpu), voluntary: 0, involuntary: 0 };
        for (thread, (voluntary, involuntary)) in &self.switches {
            let (was_voluntary, was_involuntary) = before.switches.get(thread).copied().unwrap_or_default();
            spent.voluntary += voluntary.saturating_sub(was_voluntary);
            spent.involuntary += involuntary.saturating_sub(was_involuntary);
        }
        spent
    }
}

fn read(pid: u32) -> procfs::ProcResult<Cost> {
    let process = Process::new(pid as i32)?;
    let stat = process.stat()?;
    let ticks = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
    let mut switches = BTreeMap::new();
    // A thread may end between being listed and being read: then it is not there, and no error.
    for task in process.tasks()?.flatten() {
        if let Ok(status) = task.status() {
            let count = |switches: Option<u64>| switches.unwrap_or(0);
            let both = (count(status.voluntary_ctxt_switches), count(status.nonvoluntary_ctxt_switches));
            switches.insert(task.tid, both);
        }
    }
    Ok(Cost { cpu: Duration::from_secs_f64(ticks), switches })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_new_counts_whole_and_one_that_ended_not_at_all() {
        let reading = |threads: &[(i32, u64)]| Cost {
            cpu: Duration::ZERO,
            switches: threads.iter().map(|(thread, switches)| (*thread, (*switches, 1))).collect(),
        };
        let spent = reading(&[(1, 12), (3, 4)]).since(&reading(&[(1, 10), (2, 99)]));
        assert_eq!((spent.voluntary, spent.involuntary), (6, 1));
    }

    #[test]
    fn this_process_has_switched_threads() {
        let cost = Cost::read(std::process::id()).unwrap();
        assert!(!cost.switches.is_empty());
    }
}
