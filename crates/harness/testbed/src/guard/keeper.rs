//! The process between the harness and a program that starts processes of its own.
//!
//! It adopts every orphan below it, so that a worker is found whatever its group and whoever started it. Signals that stop
//! a server go on to the program; [`END`], which the kernel sends when the harness dies, ends all of them.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;

use super::{die_with, limit_descriptors, strays};

/// The first argument that turns our executable into a keeper.
pub(super) const KEEPER: &str = "__keeper";

/// Ends every process that is kept.
pub(super) const END: Signal = Signal::HUP;

/// The time in which killed processes must be reaped.
const REAPING: Duration = Duration::from_secs(3);

/// Runs the command until it ends or is ended, and exits; returns only an error.
pub(super) fn keep(mut args: impl Iterator<Item = OsString>) -> io::Error {
    let mut number = || args.next()?.to_str()?.parse::<u64>().ok();
    let (Some(parent), Some(descriptors), Some(_)) = (number(), number(), number()) else {
        return io::Error::other("the keeper takes a parent, two limits, a folder and a command");
    };
    let (Some(folder), Some(program)) = (args.next(), args.next()) else {
        return io::Error::other("the keeper takes a parent, two limits, a folder and a command");
    };
    let code = match start(parent, descriptors, &program, args) {
        Ok((main, signals)) => obey(main, signals),
        Err(error) => {
            eprintln!("failed to start `{}`: {error}", program.display());
            127
        }
    };
    end_all();
    let _ = std::fs::remove_dir_all(Path::new(&folder));
    std::process::exit(code)
}

fn start(
    parent: u64,
    descriptors: u64,
    program: &OsString,
    args: impl Iterator<Item = OsString>,
) -> io::Result<(Pid, Signals)> {
    // Before the death signal is armed, so that it is caught.
    let signals = Signals::new([SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH])?;
    die_with(parent, END)?;
    strays::adopt()?;
    limit_descriptors((descriptors > 0).then_some(descriptors))?;
    let child = Command::new(program).args(args).stdin(Stdio::null()).spawn()?;
    Ok((Pid::from_child(&child), signals))
}

/// Passes signals on until the program has ended or [`END`] comes; gives the exit status.
fn obey(main: Pid, mut signals: Signals) -> i32 {
    for number in signals.forever() {
        match number {
            SIGHUP => return 128 + SIGHUP,
            SIGCHLD => {
                if let Some(code) = reap(main) {
                    return code;
                }
            }
            number => {
                // ESRCH means that the program has just ended, which the next signal tells.
                let _ = rustix::process::kill_process(main, passed_on(number));
            }
        }
    }
    0
}

/// The signal that the program gets for one that the keeper got.
fn passed_on(number: i32) -> Signal {
    match number {
        SIGINT => Signal::INT,
        SIGQUIT => Signal::QUIT,
        SIGUSR1 => Signal::USR1,
        SIGUSR2 => Signal::USR2,
        SIGWINCH => Signal::WINCH,
        _ => Signal::TERM,
    }
}

/// Reaps what has ended; gives the exit status of `main` if that has.
fn reap(main: Pid) -> Option<i32> {
    let mut code = None;
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == main {
            let status = std::process::ExitStatus::from_raw(status.as_raw());
            code = status.code().or(status.signal().map(|signal| 128 + signal));
        }
    }
    code
}

/// Kills and reaps every child until none is left: the orphans of those that were killed become children in turn.
fn end_all() {
    let until = Instant::now() + REAPING;
    while Instant::now() < until {
        let children = strays::children();
        for child in &children {
            let _ = rustix::process::kill_process(*child, Signal::KILL);
        }
        match rustix::process::wait(WaitOptions::NOHANG) {
            Err(_) if children.is_empty() => return,
            Ok(Some(_)) => {}
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}
