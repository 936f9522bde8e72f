//! Progress of a comparison on stderr: a bar on a terminal, plain lines otherwise.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use indicatif::ProgressBar;
use suite::document::Row;
use suite::verdict::Verdict;

use crate::progress::{self, say};

/// Shows how far a part of the run is.
pub(super) struct Meter {
    what: &'static str,
    total: usize,
    done: AtomicUsize,
    begin_at: Instant,
    bar: Option<ProgressBar>,
}

impl Meter {
    /// Begins a part of `total` steps.
    pub(super) fn start(what: &'static str, total: usize) -> Self {
        let bar = progress::bar(what, total, "{elapsed} {wide_msg}");
        if bar.is_none() {
            say(&format!("{what}: {total} to do"));
        }
        Self { what, total, done: AtomicUsize::new(0), begin_at: Instant::now(), bar }
    }

    /// A step begins.
    pub(super) fn step(&self, name: &str) {
        let done = self.done.fetch_add(1, Ordering::Relaxed);
        match &self.bar {
            Some(bar) => {
                bar.set_position(done as u64);
                bar.set_message(name.to_owned());
            }
            None => say(&format!("{} {}/{} {name}", self.what, done + 1, self.total)),
        }
    }

    /// A scenario has been judged.
    pub(super) fn judged(&self, row: &Row) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let loud = row.verdict.is_red() || row.verdict == Verdict::Error;
        let line = format!("{} {} {}", row.server, row.verdict, row.id);
        match &self.bar {
            Some(bar) => {
                bar.set_position(done as u64);
                bar.set_message(line.clone());
                if loud {
                    bar.println(format!("{line}: {}", row.observed));
                }
            }
            // Hundreds of lines that all say "pass" hide the one that does not.
            None if loud => say(&format!("{line}: {}", row.observed)),
            None if done.is_multiple_of(50) => say(&format!("{} {done}/{}", self.what, self.total)),
            None => {}
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        say(&format!("{}: done in {:.0} s", self.what, self.begin_at.elapsed().as_secs_f64()));
    }
}
