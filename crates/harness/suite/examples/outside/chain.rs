//! A chain of five servers, and the budgets on it.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use testbed::server::Server;
use testbed::subject::Subject;
use testbed::witness::Witness;
use wire::{Leave, Request};

use crate::{Failed, figures, ms, send, start};

/// A server of the chain, and the witness of its work.
struct Hop {
    server: Server,
    witness: Witness,
}

/// Starts the chain: the first is asked, each asks the next.
fn chain(links: &[&Subject]) -> Result<Vec<Hop>, Failed> {
    let mut hops: Vec<Hop> = Vec::new();
    for subject in links.iter().rev() {
        let witness = Witness::listen()?;
        let mut flags = vec!["--witness".to_owned(), witness.address().to_string()];
        if let Some(next) = hops.last() {
            flags.extend(["--upstream".to_owned(), next.server.address().to_string()]);
        }
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        hops.push(Hop { server: start(subject, &flags)?, witness });
    }
    hops.reverse();
    Ok(hops)
}

fn request(links: usize, id: &str, work: Duration, timeout: Duration) -> Request {
    let (work, hops) = (work.as_millis(), links - 1);
    Request::get(format!("/slow?style=upstream&hops={hops}&work={work}ms&tick=1ms")).timeout(timeout).id(id)
}

fn name(links: &[&Subject]) -> String {
    links.iter().map(|subject| subject.name()).collect::<Vec<_>>().join(" → ")
}

/// Waits until the work of `id` has begun in every hop.
fn all_begin(hops: &[Hop], id: &str) -> Result<(), Failed> {
    for hop in hops {
        hop.witness.wait_start(id, ms(10_000)).ok_or("the work did not begin in every hop")?;
    }
    Ok(())
}

/// Returns the time from `since` to the last sign of the work of `id` in any hop.
fn last_sign(hops: &[Hop], id: &str, since: Instant) -> Result<Duration, Failed> {
    for hop in hops {
        hop.witness.wait_end(id, ms(10_000)).ok_or("the work did not end in every hop")?;
    }
    let last = hops.iter().filter_map(|hop| hop.witness.last(id)).max().ok_or("no sign of the work")?;
    Ok(last.saturating_duration_since(since))
}

/// Takes the time from the leave of the root's client to the last sign of work in any hop.
pub(crate) fn leaves(links: &[&Subject], each: usize) -> Result<(), Failed> {
    let hops = chain(links)?;
    let mut took = Vec::new();
    for number in 0..each {
        let id = format!("leave-{number}");
        let (wire, _) = send(&hops[0].server, &request(links.len(), &id, ms(30_000), ms(40_000)))?;
        all_begin(&hops, &id)?;
        let leave = if number % 2 == 0 { Leave::Fin } else { Leave::Rst };
        let (left_at, _) = leave.act(wire);
        took.push(last_sign(&hops, &id, left_at)?);
    }
    figures::times("five hops: last work after the client left", &name(links), took, "");
    Ok(())
}

/// Takes the time from the root's deadline to the last sign of work in any hop; each hop's own is the reserve earlier.
pub(crate) fn deadlines(links: &[&Subject], each: usize) -> Result<(), Failed> {
    let hops = chain(links)?;
    let (mut took, mut late) = (Vec::new(), 0);
    for number in 0..each {
        let (id, timeout) = (format!("deadline-{number}"), ms(150));
        let (mut wire, sent_at) = send(&hops[0].server, &request(links.len(), &id, ms(30_000), timeout))?;
        let answer = wire.answer()?;
        late += usize::from(answer.status() != 504 || answer.after() < timeout);
        took.push(last_sign(&hops, &id, sent_at + timeout)?);
    }
    let told = format!("{late} answers that were early or no 504");
    figures::times("five hops: last work after the deadline", &name(links), took, &told);
    Ok(())
}

/// The budgets that one relay has seen, in microseconds, by the id of the request.
type Seen = Arc<Mutex<HashMap<String, u64>>>;

/// Passes every connection on to `next`, and reads the budget of its request; without one, answers 200.
fn relay(next: Option<SocketAddr>) -> io::Result<(SocketAddr, Seen)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let (address, seen) = (listener.local_addr()?, Seen::default());
    let noted = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let noted = noted.clone();
            std::thread::spawn(move || pass_on(stream, next, &noted));
        }
    });
    Ok((address, seen))
}

fn pass_on(mut stream: TcpStream, next: Option<SocketAddr>, seen: &Seen) -> io::Result<()> {
    let (mut head, mut chunk) = (Vec::new(), [0; 4096]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            read => head.extend_from_slice(&chunk[..read]),
        }
    }
    let text = String::from_utf8_lossy(&head).to_lowercase();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    if let (Some(id), Some(budget)) = (field("x-request-id: "), field("grpc-timeout: ").and_then(micros)) {
        seen.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), budget);
    }
    let Some(next) = next else {
        return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let mut onward = TcpStream::connect(next)?;
    onward.write_all(&head)?;
    io::copy(&mut onward, &mut stream).map(drop)
}

fn micros(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "u" => Some(number),
        "m" => Some(number * 1_000),
        "s" => Some(number * 1_000_000),
        _ => None,
    }
}

/// Reads the budget before each server of the chain and behind the last, and counts the requests in which they strictly fall.
pub(crate) fn budgets(links: &[&Subject], requests: usize) -> Result<(), Failed> {
    let (mut servers, mut relays) = (Vec::new(), vec![relay(None)?]);
    for subject in links.iter().rev() {
        let next = relays[relays.len() - 1].0.to_string();
        let server = start(subject, &["--upstream", &next])?;
        relays.push(relay(Some(server.address()))?);
        servers.push(server);
    }
    let (first, _) = relays[relays.len() - 1];
    let mut served = 0_usize;
    for number in 0..requests {
        let id = format!("budget-{number}");
        let give_up_at = Instant::now() + ms(20_000);
        let mut wire = wire::Wire::connect(first, give_up_at, &wire::trace::Trace::default())?;
        let asked = Request::get(format!("/slow?style=upstream&hops={}&work=1ms", links.len()));
        served += usize::from(wire.ask(&asked.timeout(ms(10_000)).id(&*id))?.status() == 200);
    }
    let seen =
        |at: usize, id: &str| relays[at].1.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied();
    let falls = |number: &usize| {
        let id = format!("budget-{number}");
        // From the last relay, which is the first of the chain's way, to the first.
        let budgets: Vec<_> = (0..relays.len()).rev().map(|at| seen(at, &id)).collect();
        budgets.iter().all(Option::is_some) && budgets.windows(2).all(|pair| pair[1] < pair[0])
    };
    let falling = (0..requests).filter(falls).count();
    let told = format!("strictly falling in {falling}; {served} answered 200");
    figures::count("budgets along five hops", &name(links), requests as u64, &told);
    Ok(())
}
