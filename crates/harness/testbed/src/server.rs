//! One running server: started by us and killed on drop, or somebody else's at an address.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::Signal;

use crate::behind::Behind;
use crate::guard::{Child, Launch};
use crate::url::Url;
use crate::witness::Witness;

/// The time in which a server must say where it listens, unless told otherwise.
pub const START: Duration = Duration::from_secs(10);
/// The pause between two attempts at a port that does not accept yet.
const TRY: Duration = Duration::from_millis(10);
/// The time in which a server that need not have an admin address may name one.
const ADMIN: Duration = Duration::from_millis(300);
/// Lines of stderr kept for a failure's report.
const TAIL: usize = 20;

/// A server under test.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    host: String,
    admin: Option<SocketAddr>,
    witness: Option<Witness>,
    process: Option<Process>,
    behind: Option<Box<Behind>>,
}

#[derive(Debug)]
struct Process {
    id: u32,
    child: Mutex<Child>,
    stderr: Tail,
    end_expected: AtomicBool,
}

/// The way in which a server says that it is ready.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    /// The port that its command names: it is ready when that accepts. Without one it prints where it listens.
    pub port: Option<u16>,
    /// True when the admin line is part of the start.
    pub with_admin: bool,
    /// The time in which it must serve.
    pub within: Duration,
}

/// The outcome of a start that need not succeed.
#[derive(Debug)]
pub enum Started {
    /// It serves.
    Serves(Server),
    /// It ended before it served.
    Ended {
        /// Its exit status.
        status: ExitStatus,
        /// The lines of its stdout.
        stdout: Vec<String>,
        /// The end of its stderr.
        stderr: String,
        /// The number of processes it left in the background; they have been killed.
        left: usize,
    },
}

/// The last lines of a stream, filled by a thread that reads it to its end.
#[derive(Debug, Clone, Default)]
struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    fn fill(&self, stream: impl Read + Send + 'static) -> std::io::Result<JoinHandle<()>> {
        let tail = self.clone();
        std::thread::Builder::new().name("stderr".into()).spawn(move || {
            for line in lossy_lines(stream) {
                let mut lines = tail.0.lock();
                lines.push_back(line);
                if lines.len() > TAIL {
                    lines.pop_front();
                }
            }
        })
    }

    fn text(&self) -> String {
        let lines = self.0.lock();
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

impl Server {
    /// Starts `launch` and waits until it is ready.
    ///
    /// `witness` is a socket that the command line or the environment already names.
    ///
    /// # Errors
    /// A sentence that says what the server did instead, with the end of its stderr.
    pub fn start(launch: Launch, witness: Option<Witness>, ready: Ready) -> Result<Self, String> {
        let shown = shown(&launch);
        match Self::try_start(launch, witness, ready)? {
            Started::Serves(server) => Ok(server),
            Started::Ended { status, stdout, stderr, left } => {
                let told = match left {
                    0 => format!("`{shown}` ended ({status}) before it was ready"),
                    left => format!(
                        "`{shown}` ended ({status}) and went into the background: run it in the foreground ({left} of its \
                         processes were left, and have been killed)"
                    ),
                };
                Err(with_tail(with_lines(told, "stdout", &stdout), &stderr))
            }
        }
    }

    /// Starts `launch` and waits until it is ready, or ends.
    ///
    /// # Errors
    /// A sentence that says what the server did instead, with the end of its stderr.
    pub fn try_start(launch: Launch, witness: Option<Witness>, ready: Ready) -> Result<Started, String> {
        let shown = shown(&launch);
        let failed = |error| format!("failed to start `{shown}`: {error}");
        let mut child = Child::start(launch).map_err(failed)?;
        let (stdout, stderr) = child.pipes().expect("a child's pipes are taken once");
        let tail = Tail::default();
        let reader = stderr.map(|stderr| tail.fill(stderr)).transpose().map_err(failed)?;
        let lines = lines_of(stdout).map_err(failed)?;
        let mut seen = Vec::new();
        let within = ready.within;
        let listening = match ready.port {
            Some(port) => accepts(port, within, &mut child),
            None => wait_for(&lines, "listening on http://", within, &mut seen),
        };
        let patience = if ready.with_admin { within } else { ADMIN };
        let admin = listening.and_then(|_| wait_for(&lines, "admin on http://", patience, &mut seen));
        // The one that listens may be another process, if the one that was started is gone.
        let ended = if listening.is_some() { child.ended() } else { child.wait(ADMIN) };
        if let Some(status) = ended {
            let left = child.left_behind();
            seen.extend(lines.try_iter());
            child.kill();
            // Whoever wrote to the pipe is gone, so its reader comes to the end.
            reader.map(JoinHandle::join);
            return Ok(Started::Ended { status, stdout: seen, stderr: tail.text(), left });
        }
        let Some(address) = listening else {
            seen.extend(lines.try_iter());
            child.kill();
            let told = match ready.port {
                Some(port) => format!("`{shown}` did not accept on port {port} within {within:?}"),
                None => format!(
                    "`{shown}` did not print `listening on http://ADDR` within {within:?}; a command with `{{port}}` \
                     is ready when that port accepts, and needs to print nothing"
                ),
            };
            let told = with_lines(told, "stdout", &seen);
            return Err(with_tail(told, &tail.text()));
        };
        if ready.with_admin && admin.is_none() {
            let told = format!("`{shown}` did not print `admin on http://ADDR`");
            return Err(with_tail(told, &tail.text()));
        }
        let id = child.id();
        let child = Mutex::new(child);
        let process = Process { id, child, stderr: tail, end_expected: AtomicBool::new(false) };
        let host = address.to_string();
        Ok(Started::Serves(Self { address, host, admin, witness, process: Some(process), behind: None }))
    }

    /// Starts an intermediary that is to listen at `address`, in front of an upstream; it may not listen yet.
    ///
    /// # Errors
    /// When its process cannot be started.
    pub fn intermediary(launch: Launch, address: SocketAddr, behind: Behind) -> Result<Self, String> {
        let failed = |error| format!("failed to start: {error}");
        let mut child = Child::start(launch).map_err(failed)?;
        let (stdout, stderr) = child.pipes().expect("a child's pipes are taken once");
        let tail = Tail::default();
        for stream in [stderr.map(|stream| Box::new(stream) as Box<dyn Read + Send>), Some(Box::new(stdout))]
        {
            stream.map(|stream| tail.fill(stream)).transpose().map_err(failed)?;
        }
        let id = child.id();
        let (child, end_expected) = (Mutex::new(child), AtomicBool::new(false));
        let process = Some(Process { id, child, stderr: tail, end_expected });
        let host = address.to_string();
        Ok(Self { address, host, admin: None, witness: None, process, behind: Some(Box::new(behind)) })
    }

    /// A server that runs already, whoever started it.
    pub fn at(url: &Url, admin: Option<SocketAddr>) -> Self {
        let (address, host) = (url.reachable(), url.authority.clone());
        Self { address, host, admin, witness: None, process: None, behind: None }
    }

    /// Where it serves requests.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority that requests to it name in `Host`: as the user wrote it, or its address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where it serves its census.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// The witness that its work reports to.
    pub fn witness(&self) -> Option<&Witness> {
        self.witness.as_ref()
    }

    /// Returns its upstream, if it is an intermediary.
    pub fn behind(&self) -> Option<&Behind> {
        self.behind.as_deref()
    }

    /// Its process id, if we started it.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.id)
    }

    /// The end of its stderr.
    pub fn stderr_tail(&self) -> String {
        self.process.as_ref().map(|process| process.stderr.text()).unwrap_or_default()
    }

    /// Its exit status, if it has ended.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.process.as_ref().and_then(|process| process.child.lock().ended())
    }

    /// Sends it a signal, and returns when, from the moment before: nothing can come of it earlier. From now on its end
    /// is no surprise.
    pub fn signal(&self, signal: Signal) -> Instant {
        let sent_at = Instant::now();
        if let Some(process) = &self.process {
            process.end_expected.store(true, Ordering::Relaxed);
            process.child.lock().signal(signal);
        }
        sent_at
    }

    /// Waits for its end, at most `limit`.
    pub fn wait_end(&self, limit: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + limit;
        let process = self.process.as_ref()?;
        loop {
            let status = process.child.lock().ended();
            if status.is_some() || Instant::now() >= until {
                return status;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills it.
    pub fn kill(&self) {
        if let Some(process) = &self.process {
            process.child.lock().kill();
        }
    }

    /// Returns the ending of a server that died without being told to.
    pub fn died(&self) -> Option<String> {
        let process = self.process.as_ref()?;
        if process.end_expected.load(Ordering::Relaxed) {
            return None;
        }
        let status = process.child.lock().ended()?;
        let told = match process.child.lock().left_behind() {
            0 => format!("the server died ({status})"),
            _ => {
                format!("the server ended ({status}) and went into the background: run it in the foreground")
            }
        };
        Some(with_tail(told, &process.stderr.text()))
    }
}

/// The command of `launch`, as people write it.
fn shown(launch: &Launch) -> String {
    launch.words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Adds the end of a server's stderr to a message about it.
pub fn with_tail(told: String, tail: &str) -> String {
    if tail.is_empty() { told } else { format!("{told}; its stderr ends:\n{tail}") }
}

/// Adds the last lines of a stream to a message.
fn with_lines(told: String, stream: &str, lines: &[String]) -> String {
    let tail = &lines[lines.len().saturating_sub(TAIL)..];
    if tail.is_empty() { told } else { format!("{told}; its {stream} says:\n{}", tail.join("\n")) }
}

/// Waits until `port` accepts on loopback; `None` when the child has ended or `within` is over.
fn accepts(port: u16, within: Duration, child: &mut Child) -> Option<SocketAddr> {
    let until = Instant::now() + within;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    while Instant::now() < until {
        if TcpStream::connect_timeout(&address, TRY * 10).is_ok() {
            return Some(address);
        }
        if child.wait(TRY).is_some() {
            return None;
        }
    }
    None
}

/// Reads a stream to its end on a thread, so that a chatty server never blocks on a full pipe.
fn lines_of(stdout: impl Read + Send + 'static) -> std::io::Result<mpsc::Receiver<String>> {
    let (sender, lines) = mpsc::channel();
    std::thread::Builder::new().name("stdout".into()).spawn(move || {
        for line in lossy_lines(stdout) {
            // Nobody listens any more once the server has started.
            let _ = sender.send(line);
        }
    })?;
    Ok(lines)
}

/// The lines of a stream to its end. Bytes that are no UTF-8 are replaced: a reader that gave up on them would close the
/// pipe, and the server's next line would fail.
fn lossy_lines(stream: impl Read) -> impl Iterator<Item = String> {
    let lines = BufReader::new(stream).split(b'\n').map_while(Result::ok);
    lines.map(|line| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned())
}

/// The address behind `prefix`, wherever that stands in the line: a logger may write its level before it.
fn address_in(line: &str, prefix: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(prefix)?;
    let word = rest.split_whitespace().next()?;
    Some(Url::server(word.trim_end_matches(['"', ',', '.', ';', ')', '}'])).ok()?.address())
}

/// Waits for a line that holds `prefix` and gives the address after it; other lines go to `seen`.
fn wait_for(
    lines: &mpsc::Receiver<String>,
    prefix: &str,
    within: Duration,
    seen: &mut Vec<String>,
) -> Option<SocketAddr> {
    let until = Instant::now() + within;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let line = lines.recv_timeout(left).ok()?;
        if let Some(address) = address_in(&line, prefix) {
            return Some(address);
        }
        seen.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_do_not_end_the_lines() {
        let lines: Vec<String> = lossy_lines(&b"one\r\n\xff\xfe\nthree"[..]).collect();
        assert_eq!(lines, ["one", "\u{fffd}\u{fffd}", "three"]);
    }

    #[test]
    fn the_line_is_found_among_others() {
        let (sender, lines) = mpsc::channel();
        for line in
            ["hello", "INFO listening on http://127.0.0.1:81, at last", "admin on http://127.0.0.1:82"]
        {
            sender.send(line.to_owned()).unwrap();
        }
        let mut seen = Vec::new();
        let found = wait_for(&lines, "listening on http://", Duration::from_secs(1), &mut seen);
        assert_eq!((found, seen), (Some("127.0.0.1:81".parse().unwrap()), vec!["hello".to_owned()]));
    }
}
