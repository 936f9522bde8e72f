//! Runs one case of the task benches in a process of its own: the child of `benches/tasks.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::tasks::run_child(None)
}
