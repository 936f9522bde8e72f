//! No child outlives the harness, however it ends.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::{Pid, Signal};
use testbed::guard::{self, Child, Launch};
use testbed::server::Server;
use testbed::subject::{Setup, Subject};

/// The argument that makes this program start a child, say its number, and wait.
const PARENT: &str = "__parent";
/// The same with a child that has processes in groups of their own, under a keeper.
const KEPT: &str = "__kept";
/// A program with a worker that has left its group and its session.
const MASTER: &[&str] = &["sh", "-c", "setsid sleep 60 & echo $!; wait"];

/// The same, but the child ends and leaves a process behind.
const LEAVER: &str = "__leaver";

/// The argument that makes this program listen on the port behind it.
const LISTENER: &str = "__listener";

/// Longer than a process takes to begin or to end on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    guard::exec_if_asked();
    match std::env::args().nth(1).as_deref() {
        Some(LISTENER) => return listener(),
        Some(PARENT | LEAVER) => return parent(),
        Some(KEPT) => return kept_parent(),
        _ => {}
    }
    let trials = vec![
        Trial::test("a_dropped_child_is_killed_with_its_group", dropped),
        Trial::test("a_child_dies_when_its_parent_is_killed", || parent_ends(PARENT, Signal::KILL)),
        Trial::test("a_child_dies_when_its_parent_is_interrupted", || parent_ends(PARENT, Signal::INT)),
        Trial::test("a_child_dies_when_its_parent_is_terminated", || parent_ends(PARENT, Signal::TERM)),
        Trial::test("a_kept_worker_is_ended_with_its_dropped_master", kept_dropped),
        Trial::test("a_kept_worker_is_ended_when_its_master_ends", kept_master_ends),
        Trial::test("a_kept_worker_is_ended_when_the_harness_is_killed", || parent_ends(KEPT, Signal::KILL)),
        Trial::test("a_kept_worker_is_ended_when_the_harness_is_interrupted", || {
            parent_ends(KEPT, Signal::INT)
        }),
        Trial::test("a_keeper_passes_signals_on_and_exits_as_its_program", kept_exit),
        Trial::test("a_program_that_does_not_exist_says_so", absent),
        Trial::test("a_limit_on_descriptors_holds", descriptors),
        Trial::test("a_server_is_ready_when_its_port_accepts", port_accepts),
        Trial::test("a_server_whose_port_never_accepts_is_told", port_is_silent),
        Trial::test(
            "a_server_in_the_background_is_killed_and_told_to_stay_in_the_foreground",
            in_the_background,
        ),
        Trial::test("a_process_that_left_the_group_of_its_child_is_killed_with_it", left_the_group),
        Trial::test("a_process_that_left_is_killed_when_the_harness_is_interrupted", || {
            parent_ends(LEAVER, Signal::INT)
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn start(words: &[&str]) -> Child {
    let words = words.iter().map(Into::into).collect();
    Child::start(Launch { words, ..Launch::default() }).expect("a guarded child can be started")
}

/// Starts a server by its command, which names its port.
fn serve(command: &str, within: Duration) -> Result<Arc<Server>, String> {
    Subject::command(command, Path::new("."), within)?.start(Setup::default())
}

fn listener() -> ExitCode {
    let port = std::env::args().nth(2).and_then(|port| port.parse::<u16>().ok()).expect("a port is given");
    let _listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    std::thread::sleep(2 * PATIENCE);
    ExitCode::SUCCESS
}

fn port_accepts() -> Result<(), Failed> {
    let own = std::env::current_exe()?;
    let server = serve(&format!("'{}' {LISTENER} {{port}}", own.display()), PATIENCE)?;
    std::net::TcpStream::connect(server.address())?;
    Ok(())
}

fn port_is_silent() -> Result<(), Failed> {
    let error = serve("sleep 60{port}", Duration::from_millis(50)).expect_err("nothing listens");
    if error.contains("did not accept on port") { Ok(()) } else { Err(error.into()) }
}

fn in_the_background() -> Result<(), Failed> {
    // Two forks, as a daemon does, and the second in a session of its own. It is gone as soon as it has said that it is ready.
    let daemon = "sh -c '(setsid sleep 60 &); echo listening on http://127.0.0.1:9'";
    let error = serve(daemon, PATIENCE).expect_err("it is gone");
    if !error.contains("went into the background: run it in the foreground (1 of its processes") {
        return Err(error.into());
    }
    let error = serve("true {port}", PATIENCE).expect_err("nothing listens");
    if error.contains("background") { Err(error.into()) } else { Ok(()) }
}

/// A child that leaves a process in a session of its own and ends; and that process, which says its number when it has left.
fn leaver() -> Result<(Child, u32), Failed> {
    let mut child = start(&["sh", "-c", "setsid sh -c 'echo $$; exec sleep 60' &"]);
    let (stdout, _) = child.pipes().ok_or("no pipes")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    child.wait(PATIENCE).ok_or("it still runs")?;
    Ok((child, line.trim().parse()?))
}

fn left_the_group() -> Result<(), Failed> {
    let (child, left) = leaver()?;
    drop(child);
    gone(left)
}

/// Starts a program under a keeper, with a folder of its own.
fn start_kept(words: &[&str]) -> std::io::Result<(Child, PathBuf)> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("orphans-{}-{number}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let words = words.iter().map(Into::into).collect();
    Ok((Child::start(Launch { words, keeps: Some(folder.clone()), ..Launch::default() })?, folder))
}

/// The first line that a child prints, as a number.
fn number(child: &mut Child) -> Result<u32, Failed> {
    let (stdout, _) = child.pipes().ok_or("no pipes")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok(line.trim().parse()?)
}

fn kept_dropped() -> Result<(), Failed> {
    let (mut child, folder) = start_kept(MASTER)?;
    let (keeper, worker) = (child.id(), number(&mut child)?);
    drop(child);
    gone(keeper)?;
    gone(worker)?;
    if folder.exists() { Err("its folder is still there".into()) } else { Ok(()) }
}

fn kept_master_ends() -> Result<(), Failed> {
    let (mut child, _) = start_kept(&["sh", "-c", "setsid sleep 60 & echo $!; exit 3"])?;
    let worker = number(&mut child)?;
    gone(worker)?;
    let status = child.wait(PATIENCE).ok_or("the keeper still runs")?;
    if status.code() == Some(3) { Ok(()) } else { Err(format!("{status} and not 3").into()) }
}

fn kept_exit() -> Result<(), Failed> {
    let (mut child, _) =
        start_kept(&["sh", "-c", "trap 'exit 7' QUIT; echo 1; while :; do sleep 0.01; done"])?;
    number(&mut child)?;
    child.signal(Signal::QUIT);
    let status = child.wait(PATIENCE).ok_or("it still runs")?;
    if status.code() == Some(7) { Ok(()) } else { Err(format!("{status} and not 7").into()) }
}

fn kept_parent() -> ExitCode {
    guard::kill_on_signals().expect("signals can be caught");
    let (mut child, _) = start_kept(MASTER).expect("a kept child can be started");
    println!("{}", number(&mut child).expect("the master names its worker"));
    std::thread::sleep(Duration::from_secs(60));
    ExitCode::FAILURE
}

fn parent() -> ExitCode {
    guard::kill_on_signals().expect("signals can be caught");
    if std::env::args().nth(1).as_deref() == Some(LEAVER) {
        let (_child, left) = leaver().expect("it starts");
        println!("{left}");
        std::thread::sleep(Duration::from_secs(60));
    }
    let child = start(&["sleep", "60"]);
    println!("{}", child.id());
    std::thread::sleep(Duration::from_secs(60));
    ExitCode::FAILURE
}

/// Waits until no process of that number runs; one that is dead and not yet reaped counts as gone.
fn gone(id: u32) -> Result<(), Failed> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let state = stat.rsplit(')').next().unwrap_or_default().trim_start().chars().next();
        if matches!(state, None | Some('Z' | 'X')) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(format!("process {id} still runs").into())
}

fn dropped() -> Result<(), Failed> {
    let mut child = start(&["sh", "-c", "sleep 60 & echo $!; wait"]);
    let (stdout, _) = child.pipes().ok_or("no pipes")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let (id, grandchild) = (child.id(), line.trim().parse()?);
    drop(child);
    gone(id)?;
    gone(grandchild)
}

/// Starts this program in a role, ends it, and waits until the process that it named is gone.
fn parent_ends(role: &str, signal: Signal) -> Result<(), Failed> {
    let mut parent = Command::new(std::env::current_exe()?).arg(role).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(parent.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
    rustix::process::kill_process(Pid::from_child(&parent), signal)?;
    parent.wait()?;
    gone(line.trim().parse()?)
}

fn absent() -> Result<(), Failed> {
    let mut child = start(&["/no/such/program"]);
    let status = child.wait(PATIENCE).ok_or("it still runs")?;
    if status.code() != Some(127) {
        return Err(format!("{status} and not 127").into());
    }
    Ok(())
}

fn descriptors() -> Result<(), Failed> {
    let words = ["sh", "-c", "ulimit -n"].iter().map(Into::into).collect();
    let mut child = Child::start(Launch { words, descriptors: Some(64), ..Launch::default() })?;
    let (stdout, _) = child.pipes().ok_or("no pipes")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    if line.trim() != "64" { Err(format!("the limit is {line}").into()) } else { Ok(()) }
}
