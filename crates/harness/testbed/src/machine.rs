//! Where a run took place, and what exactly was run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use procfs::{CpuInfo, Current, LoadAverage, Meminfo};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::catalog::{self, Stanza};

/// The machine and the toolchain.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// The kernel's release.
    pub kernel: String,
    /// The processor's name.
    pub cpu: Option<String>,
    /// Cores available to us.
    pub cores: usize,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Processes that ran or wanted to, averaged over the last minute, when the run began.
    pub load: Option<f32>,
    /// The output of `rustc -V` at the root of the repository.
    pub rustc: Option<String>,
}

impl Machine {
    /// Looks around.
    pub fn here(root: &Path) -> Self {
        let rustc = Command::new("rustc").arg("-V").current_dir(root).output().ok();
        let rustc = rustc.filter(|output| output.status.success());
        Self {
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            cpu: CpuInfo::current().ok().and_then(|cpus| cpus.model_name(0).map(str::to_owned)),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: Meminfo::current().ok().map(|memory| memory.mem_total),
            load: LoadAverage::current().ok().map(|load| load.one),
            rustc: rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        }
    }
}

/// The file that a server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Binary {
    /// Where it is.
    pub path: PathBuf,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

impl Binary {
    /// Reads the first file among the words of the stanza's run command: the executable, or the script that an
    /// interpreter runs.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub fn of(stanza: &Stanza, root: &Path) -> Result<Self, String> {
        let words = catalog::words(&stanza.run, root)?;
        let found = words.iter().map(|word| root.join(word)).find(|path| path.is_file());
        let path = found.ok_or_else(|| format!("`{}` names no file that exists", stanza.run))?;
        Self::read(&path).map_err(|error| format!("failed to read `{}`: {error}", path.display()))
    }

    fn read(path: &Path) -> io::Result<Self> {
        let mut hash = Sha256::new();
        let bytes = io::copy(&mut fs::File::open(path)?, &mut hash)?;
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { path: path.to_path_buf(), sha256, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_kernel_cores_and_memory_in_bytes() {
        let machine = Machine::here(Path::new("."));
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!((machine.kernel.as_str(), machine.cores > 0), (release.trim(), true));
        let text = fs::read_to_string("/proc/meminfo").unwrap();
        let kilobytes = text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap();
        assert_eq!(machine.memory, Some(kilobytes * 1024));
        assert!(machine.load.is_some_and(|load| load >= 0.0), "{machine:?}");
    }

    #[test]
    fn the_hash_is_that_of_the_script_and_not_of_its_interpreter() {
        let text = "[[server]]\nname='x'\nabout='y'\nrun='sh src/lib.rs'\nsupports='all'";
        let catalog = catalog::Catalog::parse(text).unwrap();
        let binary = Binary::of(&catalog.servers[0], Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(binary.path.ends_with("src/lib.rs"));
        assert_eq!((binary.sha256.len(), binary.bytes > 0), (64, true));
    }
}
