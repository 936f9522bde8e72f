//! One connection a head: sent, and read to its answer or its end.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::SockRef;
use wire::response::{parse, preview};

use crate::{heads, strict};

/// The time without an answer after which the client says that nothing more comes.
const QUIET: Duration = Duration::from_millis(100);
/// The time that a server may take after that: more than its deadline, less than its header timeout.
const HANG: Duration = Duration::from_secs(4);
/// The most findings that are told.
const TOLD: usize = 10;

/// The heads to send.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) numbers: Range<u64>,
    pub(crate) jobs: usize,
    pub(crate) end_at: Instant,
    pub(crate) verbose: bool,
}

/// The counts of their outcomes.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) shots: u64,
    pub(crate) invalid: u64,
    pub(crate) served_garbage: u64,
    pub(crate) closed: u64,
    pub(crate) hangs: u64,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) findings: Vec<String>,
}

/// The outcome of one head.
enum Came {
    Status(u16),
    Closed,
    Hang,
    Nonsense(String),
    Refused(std::io::Error),
}

/// Sends every head of the plan, several at once.
pub(crate) fn all(to: SocketAddr, plan: &Plan) -> Tally {
    let (next, tally) = (AtomicU64::new(plan.numbers.start), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= plan.numbers.end || Instant::now() >= plan.end_at {
                        return;
                    }
                    let head = heads::head(plan.seed, number);
                    let came = shoot(to, &head);
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.note(plan, number, &head, came);
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    if tally.shots < plan.numbers.end - plan.numbers.start {
        tally.findings.push(format!("only {} heads in the time there was", tally.shots));
    }
    tally
}

impl Tally {
    fn note(&mut self, plan: &Plan, number: u64, head: &[u8], came: Came) {
        let invalid = strict::check(head).err();
        self.shots += 1;
        self.invalid += u64::from(invalid.is_some());
        let finding = match came {
            Came::Status(status) => {
                *self.statuses.entry(status).or_default() += 1;
                let garbage = invalid.filter(|_| status == 200);
                self.served_garbage += u64::from(garbage.is_some());
                garbage.map(|why| format!("200 for garbage ({why})"))
            }
            Came::Closed => {
                self.closed += 1;
                None
            }
            Came::Hang => {
                self.hangs += 1;
                Some("neither answered nor closed".into())
            }
            Came::Nonsense(what) => Some(what),
            Came::Refused(error) => Some(format!("no connection: {error}")),
        };
        if plan.verbose {
            let judged = invalid.unwrap_or("valid");
            println!("{number}: {judged}; {finding:?} {:?}: {}", self.statuses, head.escape_ascii());
        }
        if let Some(finding) = finding
            && self.findings.len() < TOLD
        {
            let again = format!("--seed {} --from {number} 1", plan.seed);
            self.findings.push(format!("{finding}: {} [{again}]", preview(head)));
        }
    }
}

fn shoot(to: SocketAddr, head: &[u8]) -> Came {
    let mut stream = match TcpStream::connect_timeout(&to, HANG) {
        Ok(stream) => stream,
        Err(error) => return Came::Refused(error),
    };
    // So that 100,000 connections leave no port behind that waits.
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    let _ = stream.set_nodelay(true);
    let _ = stream.set_write_timeout(Some(HANG));
    // Whoever refuses early stops reading.
    let _ = stream.write_all(head);
    let _ = stream.set_read_timeout(Some(QUIET));
    let (mut received, mut chunk) = (Vec::new(), [0; 4096]);
    let (mut said_all, start_at) = (false, Instant::now());
    loop {
        let over = match stream.read(&mut chunk) {
            Ok(0) => true,
            Ok(length) => {
                received.extend_from_slice(&chunk[..length]);
                false
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => false,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if said_all && start_at.elapsed() >= HANG {
                    return Came::Hang;
                }
                said_all = true;
                let _ = stream.shutdown(Shutdown::Write);
                false
            }
            Err(_) => true,
        };
        match final_status(&received, over, head.starts_with(b"HEAD ")) {
            Ok(Some(status)) => return Came::Status(status),
            // An interim answer is none: the client has left since.
            Ok(None) if over => return Came::Closed,
            Ok(None) => {}
            Err(what) => return Came::Nonsense(what),
        }
    }
}

/// The status of the first answer that is not interim, once it is whole.
fn final_status(received: &[u8], over: bool, head_only: bool) -> Result<Option<u16>, String> {
    let mut rest = received;
    while !rest.is_empty() {
        match parse(rest, over, head_only).map_err(|error| error.to_string())? {
            Some((response, used)) if response.status < 200 => rest = &rest[used..],
            Some((response, _)) => return Ok(Some(response.status)),
            None => return Ok(None),
        }
    }
    Ok(None)
}
