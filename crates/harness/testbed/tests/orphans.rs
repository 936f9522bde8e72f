//! No child outlives the harness, however it ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::{Pid, Signal};
use testbed::guard::{self, Child, Launch};
use testbed::server::Server;
use testbed::subject::{Setup, Subject};

/// The argument that makes this program start a child, say its number, and wait.
const PARENT: &str = "__parent";

/// The argument that makes this program listen on the port behind it.
const LISTENER: &str = "__listener";

fn main() -> ExitCode {
    guard::exec_if_asked();
    if std::env::args().nth(1).as_deref() == Some(LISTENER) {
        return listener();
    }
    if std::env::args().nth(1).as_deref() == Some(PARENT) {
        return parent();
    }
    let trials = vec![
        Trial::test("a_dropped_child_is_killed_with_its_group", dropped),
        Trial::test("a_child_dies_when_its_parent_is_killed", || parent_ends(Signal::KILL)),
        Trial::test("a_child_dies_when_its_parent_is_interrupted", || parent_ends(Signal::INT)),
        Trial::test("a_child_dies_when_its_parent_is_terminated", || parent_ends(Signal::TERM)),
        Trial::test("a_program_that_does_not_exist_says_so", absent),
        Trial::test("a_limit_on_descriptors_holds", descriptors),
        Trial::test("a_server_is_ready_when_its_port_accepts", port_accepts),
        Trial::test("a_server_whose_port_never_accepts_is_told", port_is_silent),
        Trial::test("a_server_that_ends_at_once_is_told_to_stay_in_the_foreground", in_the_background),
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
    std::thread::sleep(Duration::from_secs(30));
    ExitCode::SUCCESS
}

fn port_accepts() -> Result<(), Failed> {
    let own = std::env::current_exe()?;
    let server = serve(&format!("'{}' {LISTENER} {{port}}", own.display()), Duration::from_secs(10))?;
    std::net::TcpStream::connect(server.address())?;
    Ok(())
}

fn port_is_silent() -> Result<(), Failed> {
    let error = serve("sleep 60{port}", Duration::from_millis(50)).expect_err("nothing listens");
    if error.contains("did not accept on port") { Ok(()) } else { Err(error.into()) }
}

fn in_the_background() -> Result<(), Failed> {
    let error = serve("true {port}", Duration::from_secs(10)).expect_err("nothing listens");
    if error.contains("be run in the foreground") { Ok(()) } else { Err(error.into()) }
}

fn parent() -> ExitCode {
    guard::kill_on_signals().expect("signals can be caught");
    let child = start(&["sleep", "60"]);
    println!("{}", child.id());
    std::thread::sleep(Duration::from_secs(60));
    ExitCode::FAILURE
}

/// Waits until no process of that number runs; one that is dead and not yet reaped counts as gone.
fn gone(id: u32) -> Result<(), Failed> {
    let until = Instant::now() + Duration::from_secs(5);
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

fn parent_ends(signal: Signal) -> Result<(), Failed> {
    let mut parent = Command::new(std::env::current_exe()?).arg(PARENT).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(parent.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
    rustix::process::kill_process(Pid::from_child(&parent), signal)?;
    parent.wait()?;
    gone(line.trim().parse()?)
}

fn absent() -> Result<(), Failed> {
    let mut child = start(&["/no/such/program"]);
    let status = child.wait(Duration::from_secs(5)).ok_or("it still runs")?;
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
