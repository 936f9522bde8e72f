//! Checks a future inside a task; the items come from another thread.
//!
//! `cargo run --example in_a_task`
//!
//! Any executor will do: replace `block_on` by that of your runtime.

use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use drop_at_await::{Checker, mark};
use futures_lite::future::block_on;

fn main() -> ExitCode {
    let report = block_on(Checker::new().check_in_task(async |run| {
        let (sender, receiver) = async_channel::bounded(1);
        let (go, gone) = mpsc::channel();
        let thread = thread::spawn(move || gone.recv().is_ok_and(|()| sender.send_blocking(7).is_ok()));
        // The thread sends as soon as the receiver waits, and not at all when that was dropped first.
        let receive = async { mark(receiver.recv()).await.ok() };
        let received = run.drive_beside(receive, |step| step == 0 && go.send(()).is_ok()).await;
        drop(go);
        let sent = thread.join().is_ok_and(|sent| sent);
        let left = received.completed().flatten().or_else(|| receiver.try_recv().ok());
        if left == sent.then_some(7) { Ok(()) } else { Err("the item") }
    }));
    println!("{report}");
    if report.is_safe() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
