//! This process's memory, as the kernel sees it.

use procfs::process::Process;

/// Reads the kernel's own count of a process.
pub(crate) struct Memory {
    process: Process,
    /// Resident before anything was spawned.
    base: u64,
    base_pss: u64,
}

impl Memory {
    /// Takes what is resident now as the baseline.
    pub(crate) fn new() -> Self {
        let process = Process::myself().expect("/proc shows this process");
        let mut memory = Self { process, base: 0, base_pss: 0 };
        (memory.base, memory.base_pss) = (memory.resident(), memory.pss());
        memory
    }

    /// Resident bytes beyond the baseline; cheap enough to sample.
    pub(crate) fn resident(&self) -> u64 {
        let statm = self.process.statm().expect("/proc/self/statm is readable");
        (statm.resident * procfs::page_size()).saturating_sub(self.base)
    }

    /// The highest that ever was, beyond the baseline.
    pub(crate) fn peak(&self) -> u64 {
        let status = self.process.status().expect("/proc/self/status is readable");
        (status.vmhwm.unwrap_or(0) * 1024).saturating_sub(self.base)
    }

    /// Proportional set size beyond the baseline; walks all the pages.
    pub(crate) fn pss(&self) -> u64 {
        let rollup = self.process.smaps_rollup().expect("/proc/self/smaps_rollup is readable");
        let map = rollup.memory_map_rollup.iter().next();
        let pss = map.and_then(|map| map.extension.map.get("Pss").copied()).unwrap_or(0);
        pss.saturating_sub(self.base_pss)
    }
}
