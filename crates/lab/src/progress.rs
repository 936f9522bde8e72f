//! Results on stdout, and progress on stderr: a bar on a terminal, plain lines otherwise.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use report::terminal::render::{self, Screen};
use report::terminal::tables::Depth;
use suite::document::Row;
use suite::verdict::Verdict;

/// Shows how far a server's scenarios are.
pub(crate) struct Progress {
    server: String,
    total: usize,
    done: AtomicUsize,
    bar: Option<ProgressBar>,
    quiet: bool,
}

/// True once a result could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints a result. A reader that has left, as `head` does, wants no more of it, and that is no failure; any other failure is
/// said, and the command ends with 2.
pub(crate) fn print(result: impl Display) {
    let mut out = std::io::stdout().lock();
    match write!(out, "{result}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            LOST.store(true, Ordering::Relaxed);
            say(&format!("failed to write to stdout: {error}"));
        }
        _ => {}
    }
}

/// True when a result could not be printed.
pub(crate) fn lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Reports whether stdout takes colors.
pub(crate) fn color() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Returns the place that results are printed to.
pub(crate) fn screen() -> Screen {
    let columns = terminal_size::terminal_size_of(std::io::stdout()).map(|(columns, _)| columns.0);
    columns.map_or(Screen::FILE, |columns| Screen::of(columns, color()))
}

/// Returns a text with its lines broken to the width of the terminal; elsewhere they are as long as they are.
pub(crate) fn folded(text: String) -> String {
    if std::io::stdout().is_terminal() { render::fold(&text, screen()) } else { text }
}

/// Returns the share of a run that is printed: a screen for each question on a terminal, and less of it elsewhere.
pub(crate) fn depth(details: bool) -> Depth {
    match (details, std::io::stdout().is_terminal()) {
        (true, _) => Depth::Details,
        (false, true) => Depth::Screens,
        (false, false) => Depth::Terse,
    }
}

/// Says what happens now. A standard error that is closed or full stops nothing.
pub(crate) fn say(what: &str) {
    tell(&format!("lab: {what}"));
}

/// Passes a line of another program on.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Returns a bar of `total` steps on a terminal; behind it stands what the template `rest` says.
pub(crate) fn bar(name: &str, total: usize, rest: &str) -> Option<ProgressBar> {
    std::io::stderr().is_terminal().then(|| {
        let style =
            ProgressStyle::with_template(&format!("{{prefix:>10}} {{bar:30}} {{pos}}/{{len}} {rest}"))
                .expect("the template is well-formed");
        let bar = ProgressBar::new(total as u64).with_style(style).with_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    })
}

impl Progress {
    /// Begins with a server's scenarios; `quiet` leaves out the line for each.
    pub(crate) fn start(server: &str, total: usize, quiet: bool) -> Self {
        let bar = bar(server, total, "{wide_msg}");
        if bar.is_none() {
            say(&format!("{server}: {total} scenarios"));
        }
        Self { server: server.to_owned(), total, done: AtomicUsize::new(0), bar, quiet }
    }

    /// Notes a result.
    pub(crate) fn done(&self, row: &Row) {
        let number = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(bar) = &self.bar else {
            if self.quiet {
                return;
            }
            let Row { id, verdict, took_ms, .. } = row;
            return say(&format!("{} {number}/{} {verdict} {id} ({took_ms} ms)", self.server, self.total));
        };
        bar.set_message(row.id.clone());
        if !self.quiet && (row.verdict.is_red() || row.verdict == Verdict::Error) {
            bar.println(format!("{}: {} {}", self.server, row.verdict, row.id));
        }
        bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
