//! The start of a server that does not foresee a refusal, and its log as people write it: of two faults.

use std::io;
use std::process::ExitCode;
use std::thread;

use clap::Parser;

use crate::Args;

/// Starts a server that panics where its start fails.
pub(crate) fn panicking(serve: impl FnOnce(Args) -> io::Result<bool>) -> ExitCode {
    let args = Args::try_parse().expect("nobody gives a wrong flag");
    thread::spawn(|| {}).join().expect("nobody refuses a thread");
    // From here on it is as good as any.
    std::panic::set_hook(Box::new(|_| {}));
    if serve(args).is_ok_and(|whole| whole) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Starts a server that prints what it has to say, and waits for whoever reads it.
#[expect(clippy::print_stderr, reason = "it is the fault")]
pub(crate) fn printing(serve: impl FnOnce(Args) -> io::Result<bool>) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            eprintln!("{}", error.to_string().lines().next().unwrap_or_default());
            return ExitCode::from(2);
        }
    };
    let outcome = serve(args);
    match outcome {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => eprintln!("stopped with work abandoned"),
        Err(error) => eprintln!("{error}"),
    }
    ExitCode::FAILURE
}
