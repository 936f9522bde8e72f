//! Child processes and permits.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use testbed::census::Census;
use testbed::proc::{self, Child, State};
use testbed::server::Server;
use testbed::subject::Subject;
use wire::burst::Burst;
use wire::{Leave, Request};

use crate::{Failed, figures, give_up, ms, send, start};

/// Permits of the server.
const PERMITS: u64 = 64;
/// Waits that are canceled at once, and how often.
const WAITS: (usize, u64) = (500, 20);

fn request(style: &str, id: &str, work: Duration, timeout: Duration) -> Request {
    Request::get(format!("/slow?style={style}&work={}ms", work.as_millis())).timeout(timeout).id(id)
}

/// Waits until the server has a child.
fn child(server: &Server) -> Result<Child, Failed> {
    let (pid, patience) = (server.pid().ok_or("no process")?, give_up());
    loop {
        if let Some(child) = proc::children(pid)?.into_iter().find(|child| child.state() == State::Alive) {
            return Ok(child);
        }
        if Instant::now() > patience {
            return Err("no child process within a minute".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until nothing is left of it; returns the time since `since`.
fn gone(child: Child, since: Instant) -> Result<Duration, Failed> {
    let patience = give_up();
    while child.state() != State::Gone {
        if Instant::now() > patience {
            return Err("a child process is left".into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(since.elapsed())
}

/// Takes the time from the deadline, or from the client's leave, to the moment at which the child is killed and reaped.
pub(crate) fn processes(subject: &Subject, each: usize) -> Result<(), Failed> {
    let server = start(subject, &[])?;
    let (mut cut, mut left) = (Vec::new(), Vec::new());
    for number in 0..each {
        let timeout = ms(200);
        let (mut wire, sent_at) = send(&server, &request("process", "cut", ms(30_000), timeout))?;
        let born = child(&server)?;
        wire.answer()?;
        cut.push(gone(born, sent_at + timeout)?);
        let (wire, _) = send(&server, &request("process", "left", ms(30_000), ms(30_000)))?;
        let born = child(&server)?;
        let leave = if number % 2 == 0 { Leave::Fin } else { Leave::Rst };
        let (left_at, _) = leave.act(wire);
        left.push(gone(born, left_at)?);
    }
    let rest = proc::children(server.pid().ok_or("no process")?)?.len();
    let told = format!("{rest} left, defunct ones among them");
    figures::times("child gone and reaped after its deadline", subject.name(), cut, &told);
    figures::times("child gone and reaped after FIN or RST", subject.name(), left, &told);
    let held = (0..24).map(|_| send(&server, &request("process", "killed", ms(30_000), ms(30_000))));
    let held = held.collect::<Result<Vec<_>, _>>()?;
    let patience = give_up();
    let pid = server.pid().ok_or("no process")?;
    while proc::children(pid)?.len() < held.len() && Instant::now() < patience {
        std::thread::sleep(ms(5));
    }
    let orphans = proc::children(pid)?;
    server.signal(Signal::KILL);
    std::thread::sleep(ms(500));
    let rest = orphans.iter().filter(|child| child.state() == State::Alive).count();
    let told = format!("{rest} of them alive 500 ms after SIGKILL to the server");
    figures::count("children of a killed server", subject.name(), orphans.len() as u64, &told);
    Ok(())
}

/// Cancels waits for a permit, and counts the permits that are free behind them.
pub(crate) fn permits(subject: &Subject) -> Result<(), Failed> {
    let server = start(subject, &["--permits", &PERMITS.to_string()])?;
    let admin = server.admin().ok_or("the server has no census")?;
    let held = (0..PERMITS).map(|_| send(&server, &request("permit", "held", ms(55_000), ms(58_000))));
    let held = held.collect::<Result<Vec<_>, _>>()?;
    let patience = give_up();
    while Census::read(admin)?.outside.permits.free > 0 && Instant::now() < patience {
        std::thread::sleep(ms(5));
    }
    let mut canceled = 0;
    for round in 0..WAITS.1 {
        let timeout = if round % 2 == 0 { ms(100) } else { ms(30_000) };
        let waits = (0..WAITS.0).map(|_| request("permit", "wait", ms(10), timeout)).collect();
        let mut waits = Burst::launch(server.address(), waits, give_up())?;
        if round % 2 == 0 {
            let ended = waits.finish()?;
            canceled += ended.iter().filter(|shot| shot.status() == Some(504)).count() as u64;
        } else {
            waits.drive(Instant::now() + ms(200))?;
            canceled += waits.shots().len() as u64;
            waits.reset();
        }
    }
    drop(held);
    let patience = Instant::now() + ms(3000);
    let mut permits = Census::read(admin)?.outside.permits;
    while permits.free < PERMITS && Instant::now() < patience {
        std::thread::sleep(ms(10));
        permits = Census::read(admin)?.outside.permits;
    }
    let told = format!("{} of {PERMITS} permits free, {} waits left", permits.free, permits.waiting);
    figures::count("canceled waits for a permit", subject.name(), canceled, &told);
    Ok(())
}
