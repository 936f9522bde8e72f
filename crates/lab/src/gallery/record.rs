//! The gallery's results while a run adds to them: what was judged stands in the file at once, whatever ends the run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use report::gallery::{self, Gallery, RESULTS, Shown};
use suite::exit::Exit;
use testbed::adapters::{self, Adapter};
use testbed::{files, guard};

use super::PAGE;
use crate::compare;
use crate::progress::say;

/// The results of this run and of those before it.
pub(super) struct Record(Arc<Mutex<State>>);

struct State {
    root: PathBuf,
    adapters: Vec<Adapter>,
    gallery: Gallery,
    /// The results of this run alone.
    judged: Gallery,
    /// The number of servers that this run is to judge.
    of: usize,
    /// True once a signal came: what its servers' deaths break is no result.
    interrupted: bool,
}

impl Record {
    /// Begins with the results of earlier runs; `of` servers are to come. When SIGINT or SIGTERM arrives, the page is made of what is there, and
    /// the process ends.
    pub(super) fn begin(root: &Path, adapters: &[Adapter], of: usize) -> Result<Self, String> {
        let state = State {
            root: root.to_path_buf(),
            adapters: adapters.to_vec(),
            gallery: Gallery::kept(root)?,
            judged: Gallery::default(),
            of,
            interrupted: false,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let ended = move |signal| {
            let mut state = shared.lock();
            state.interrupted = true;
            guard::kill_all();
            let written = if state.judged.servers.is_empty() { Ok(()) } else { state.write_page() };
            written.unwrap_or_else(|error| say(&error));
            say(&format!(
                "interrupted: {} of {} servers were judged, and are kept; of the others the results of earlier runs stand",
                state.judged.servers.len(),
                state.of
            ));
            std::process::exit(Exit::by_signal(signal).status().into());
        };
        guard::on_signals(ended)?;
        Ok(Self(state))
    }

    /// Adds a server's result, and writes the file of results. After a signal it does not return.
    pub(super) fn add(&self, name: &str, shown: &Shown) -> Result<(), String> {
        let mut state = self.0.lock();
        if state.interrupted {
            drop(state);
            loop {
                std::thread::park_timeout(Duration::from_secs(1));
            }
        }
        state.gallery.servers.insert(name.to_owned(), shown.clone());
        state.judged.servers.insert(name.to_owned(), shown.clone());
        write(&state.root.join(RESULTS), &state.gallery.json())
    }

    /// Writes the page, and returns what disagrees with the manifests in this run.
    pub(super) fn finish(&self) -> Result<Vec<String>, String> {
        let state = self.0.lock();
        say(&format!("wrote {}", state.root.join(RESULTS).display()));
        state.write_page()?;
        // What other runs have found is no surprise of this one.
        Ok(state.judged.surprises(&state.adapters))
    }
}

impl State {
    fn write_page(&self) -> Result<(), String> {
        let path = self.root.join(PAGE);
        write(&path, &self.gallery.page(&self.adapters))?;
        say(&format!("wrote {}", path.display()));
        // Beside the report, which leads to it.
        let page = self.root.join(compare::FOLDER).join(gallery::FILE);
        write(&page, &self.gallery.html(&self.adapters)?)?;
        say(&format!("wrote {}", page.display()));
        Ok(())
    }
}

/// The page, made of the results at `root`.
pub(crate) fn page(root: &Path) -> Result<String, String> {
    Ok(Gallery::kept(root)?.page(&adapters::read(root)?))
}

/// Writes a file as a whole: whatever ends the process, a reader finds the old text or the new one.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let partial = path.with_extension(format!("partial-{}", std::process::id()));
    files::write(&partial, text)?;
    std::fs::rename(&partial, path).map_err(|error| format!("failed to write `{}`: {error}", path.display()))
}
