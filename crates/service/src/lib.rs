//! The process around a server: its flags, its log, its threads and its exit.
//!
//! - [`run`]: a server's `main`, from the flags to the exit status.
//! - [`announce`]: the two lines that say where the server listens.
//! - [`log`]: lines on standard error, which hold up nobody.
//! - [`thread`]: threads that the system may refuse.
//! - [`flags`]: the command line and the environment, and the one line that a wrong value gets.

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a print waits for its reader; `service::log` never does"
)]

pub mod flags;
pub mod log;
pub mod thread;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// The exit status of a process whose flags are wrong.
const WRONG_FLAG: u8 = 2;

/// The longest time that the exit waits for the log to be written.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// Runs the server `name`: reads its flags, hands them to `serve`, and returns the exit status.
///
/// The status is 0 when `serve` returns true, 1 when it returns false (work was abandoned), fails or panics, and 2 when a
/// flag is wrong. Each but the first is explained by one line on standard error. `--help` and `--version` print what they
/// promise and exit 0.
///
/// From here on a panic on any thread is one line of the [`log`].
pub fn run<F: Parser>(name: &'static str, serve: impl FnOnce(F) -> io::Result<bool>) -> ExitCode {
    if let Err(error) = log::start() {
        log::without_thread(&error);
        return ExitCode::FAILURE;
    }
    panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        log::line(format_args!("panic on thread `{}`: {panic}", thread.name().unwrap_or("unnamed")));
    }));
    let code = match flags::read(name) {
        Ok(flags) => ended(panic::catch_unwind(AssertUnwindSafe(|| serve(flags)))),
        Err(line) => {
            log::line(line);
            ExitCode::from(WRONG_FLAG)
        }
    };
    log::flush(LAST_WORDS);
    code
}

/// The exit status of a server that ended so, after the line of the log that explains it.
fn ended(outcome: std::thread::Result<io::Result<bool>>) -> ExitCode {
    match outcome {
        Ok(Ok(true)) => return ExitCode::SUCCESS,
        Ok(Ok(false)) => log::line("stopped with work abandoned"),
        Ok(Err(error)) => log::line(error),
        // The hook has said so.
        Err(_) => {}
    }
    ExitCode::FAILURE
}

/// Prints the two lines that say where a server listens, and flushes them.
///
/// # Errors
/// Standard output is closed or full.
pub fn announce(listen: SocketAddr, admin: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let printed = writeln!(stdout, "listening on http://{listen}\nadmin on http://{admin}");
    printed.and_then(|()| stdout.flush()).map_err(|error| {
        io::Error::new(error.kind(), format!("failed to print the address on standard output: {error}"))
    })
}
