//! Every scenario of the table against this server, each a test of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    suite::conformance("async-std", env!("CARGO_BIN_EXE_server-async-std"))
}
