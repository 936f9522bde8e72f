//! Helpers of the tests that run the command: a folder for what it writes, and checks of how it ended.

use std::path::PathBuf;
use std::process::Output;

use libtest_mimic::Failed;
use suite::exit::Exit;

/// A folder of one test, which is removed with it.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    /// Names a folder that does not exist yet; `name` is the test's.
    pub(crate) fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("lab-test-{name}-{}", std::process::id())))
    }

    /// The path, as an argument.
    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("it is UTF-8")
    }

    /// Reads the document that was written there.
    pub(crate) fn results(&self) -> Result<serde_json::Value, Failed> {
        Ok(serde_json::from_str(&std::fs::read_to_string(self.0.join("results.json"))?)?)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Fails with a sentence when the condition does not hold.
pub(crate) fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(otherwise().into()) }
}

/// All that a command said: its exit status, stdout and stderr.
pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Fails when a command ended with another status.
pub(crate) fn ends(output: &Output, exit: Exit) -> Result<(), Failed> {
    holds(output.status.code() == Some(exit.status().into()), || {
        format!("not {}: {}", exit.status(), text(output))
    })
}
