//! The remedies that the report shows, run.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ctx::{Context, ManualClock};
use shown::remedies;
use tokio::runtime::{Builder, Runtime};

/// The longest time to wait for what must come.
const MOST: Duration = Duration::from_secs(30);
/// The deadline of what would take a minute.
const SOON: Duration = Duration::from_millis(50);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn work_that_asks_stops_behind_the_step_that_ends_its_context() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (mut cancel, mut steps) = (Some(cancel), 0);
    let result = remedies::ask(&ctx, vec![1, 2, 3], |item| {
        steps += 1;
        if item == 2 {
            drop(cancel.take());
        }
    });
    assert!(result.is_err() && steps == 2, "{result:?} behind {steps} steps");
}

#[test]
fn spawned_work_ends_with_the_set_that_holds_it() {
    let (sender, dropped) = mpsc::channel::<()>();
    runtime().block_on(async {
        let tasks = remedies::cancel(|| {
            let sender = sender.clone();
            async move {
                std::future::pending::<()>().await;
                drop(sender);
            }
        });
        tokio::task::yield_now().await;
        drop(tasks);
    });
    drop(sender);
    assert_eq!(dropped.recv_timeout(MOST), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn a_blocking_read_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    // By a clock that stands still: on a busy machine nothing might be left of a short time.
    let clock = ManualClock::new();
    let (ctx, _cancel) = clock.attach(&Context::background()).with_timeout(SOON);
    remedies::bound(&ctx, &stream).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}");
}

#[test]
fn a_loop_on_another_thread_hears_of_the_end_of_its_context() {
    let (ctx, cancel) = Context::background().with_cancel();
    drop(cancel);
    assert!(!runtime().block_on(remedies::moved(ctx, Context::check)).unwrap());
}

/// Returns true while a child process of this one, of this name, has not ended.
fn has_child(name: &str) -> bool {
    let parent = std::process::id().to_string();
    let stats = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        // A process may be gone by the time that it is looked at.
        std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()
    });
    let mut children = stats.filter_map(|stat| {
        let (command, rest) = stat.rsplit_once(") ")?;
        let mut rest = rest.split(' ');
        let (state, of) = (rest.next()?, rest.next()?);
        (of == parent && state != "Z").then(|| command.ends_with(&format!("({name}")))
    });
    children.any(|is_it| is_it)
}

#[test]
fn a_child_process_ends_with_the_future_that_waits_for_it() {
    runtime().block_on(async {
        let waited = tokio::time::timeout(SOON, remedies::kill()).await;
        assert!(waited.is_err(), "{waited:?}");
    });
    let since = Instant::now();
    while has_child("sleep") {
        assert!(since.elapsed() < MOST, "the child goes on");
        std::thread::yield_now();
    }
}

#[test]
fn work_on_a_thread_is_told_when_its_handler_is_dropped() {
    let (sender, told) = mpsc::channel();
    let (begins, begun) = tokio::sync::oneshot::channel();
    runtime().block_on(async {
        let work = move |token: tokio_util::sync::CancellationToken| {
            begins.send(()).unwrap();
            let since = Instant::now();
            while !token.is_cancelled() && since.elapsed() < MOST {
                std::thread::yield_now();
            }
            sender.send(token.is_cancelled()).unwrap();
        };
        // Work that a thread has not yet taken would be dropped with the runtime.
        tokio::select! {
            handler = remedies::watch(work) => panic!("{handler:?}"),
            word = begun => word.unwrap(),
        }
    });
    assert_eq!(told.recv_timeout(MOST), Ok(true));
}

/// Runs a program on one of the files; `None` where the language is not on this machine, unless under CI.
fn printed(program: &str, words: &[&str], file: &str) -> Option<String> {
    if Command::new(program).arg("--help").output().is_err() && std::env::var_os("CI").is_none() {
        eprintln!("no `{program}` on the PATH: `{file}` was not run");
        return None;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // The file is in no module of Go.
    let mut command = Command::new(program);
    command.args(words).arg(file).current_dir(folder).env("GO111MODULE", "off");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn the_remedies_in_go_are_in_order_and_stop_their_work() {
    printed("go", &["vet"], "remedies.go");
    if let Some(said) = printed("go", &["run"], "remedies.go") {
        assert_eq!(said, "ok");
    }
}

#[test]
fn the_remedies_in_python_stop_their_work() {
    if let Some(said) = printed("python3", &["-B"], "remedies.py") {
        assert_eq!(said, "ok");
    }
}
