//! The places where a broken intermediary does otherwise. Without a fault each does what its first line says.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use broken::proxy::Fault;

use crate::Args;

/// Connections that still owe an answer, for the next request.
static OWING: Mutex<Vec<TcpStream>> = Mutex::new(Vec::new());
/// Every exchange, by when it began and its connection to the upstream, for one client to end.
static ALL: Mutex<Vec<(Instant, TcpStream)>> = Mutex::new(Vec::new());
/// The least time that an exchange has run when another client ends it.
const SETTLED: Duration = Duration::from_millis(50);
/// Bytes of a body that one fault passes on.
const MOST: usize = 8 * 1024;
/// The time for which a connection is kept that ought to be ended.
const KEPT: Duration = Duration::from_secs(3);

/// A fault, and the state of its exchange.
pub(crate) struct Broken {
    args: Args,
    begun_at: Instant,
    request: Vec<u8>,
    body: usize,
    answer: Vec<u8>,
}

/// The length that is taken for that of a chunked body; none is known.
pub(crate) fn length_of_chunks(fault: Fault) -> Option<usize> {
    (fault == Fault::CutsBodies).then_some(usize::MAX)
}

/// True for a header that is not passed on; none is.
pub(crate) fn drops(fault: Fault, name: &str) -> bool {
    let carries =
        ["grpc-timeout", "x-envoy-expected-rq-timeout-ms", "x-request-id", "traceparent"].contains(&name);
    fault == Fault::DropsHeaders && carries
}

/// True when the request is passed over, because more have come behind it; none is.
pub(crate) fn skips(fault: Fault, client: &BufReader<TcpStream>) -> bool {
    fault == Fault::SkipsToLast && client.buffer().starts_with(b"GET ")
}

impl Broken {
    pub(crate) fn new(args: Args, head: &str) -> Self {
        Self { args, begun_at: Instant::now(), request: head.into(), body: 0, answer: Vec::new() }
    }

    fn is(&self, fault: Fault) -> bool {
        self.args.fault == fault
    }

    /// Connects to the upstream.
    pub(crate) fn connect(&self) -> io::Result<TcpStream> {
        if self.is(Fault::AnswersWithAnothers)
            && let Some(owing) = lock(&OWING).pop()
        {
            return Ok(owing);
        }
        let upstream = TcpStream::connect(self.args.upstream)?;
        if self.is(Fault::CancelsAll) {
            lock(&ALL).push((self.begun_at, upstream.try_clone()?));
        }
        Ok(upstream)
    }

    /// Returns the longest time for which the upstream may say nothing.
    pub(crate) fn patience(&self, patience: Option<Duration>) -> Option<Duration> {
        match self.args.fault {
            Fault::BoundsTheWhole => {
                patience.map(|patience| patience.saturating_sub(self.begun_at.elapsed()))
            }
            Fault::CancelsAll => {
                Some(patience.unwrap_or(Duration::from_secs(60)).min(Duration::from_secs(60)))
            }
            _ => patience,
        }
    }

    /// Ends the connection to the upstream: the client has left.
    pub(crate) fn left(self, upstream: TcpStream) -> io::Result<()> {
        match self.args.fault {
            Fault::NeverTells => wait_end(upstream),
            Fault::TellsLate => std::thread::sleep(Duration::from_secs(1)),
            // A client may leave so soon behind its answer that its end is seen first.
            Fault::AnswersWithAnothers if missing(&self.answer) != Some(0) && self.answer.len() < MOST => {
                lock(&OWING).push(upstream);
            }
            Fault::CancelsAll => {
                for (_, other) in lock(&ALL).iter().filter(|(begun_at, _)| begun_at.elapsed() > SETTLED) {
                    let _ = other.shutdown(Shutdown::Both);
                }
            }
            Fault::RetriesCanceled => {
                drop(upstream);
                wait_end(self.again()?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Sends bytes of the body to the upstream.
    pub(crate) fn body(&mut self, body: &[u8], upstream: &mut TcpStream) -> io::Result<()> {
        self.body += body.len();
        if self.is(Fault::CutsBodies) && self.body > MOST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.request.extend_from_slice(body);
        upstream.write_all(body)
    }

    /// Sends bytes of the answer to the client.
    pub(crate) fn answer(&mut self, bytes: &[u8], mut client: &TcpStream) -> io::Result<()> {
        let (before, is_first) = (self.answer.len(), self.answer.is_empty());
        self.answer.extend_from_slice(bytes);
        match self.args.fault {
            Fault::HoldsBack => Ok(()),
            Fault::SwallowsContinue if bytes.starts_with(b"HTTP/1.1 100") => Ok(()),
            Fault::CutsBodies => client.write_all(&bytes[..bytes.len().min(MOST.saturating_sub(before))]),
            Fault::ClosesUnsaid if is_first => client
                .write_all(String::from_utf8_lossy(bytes).replace("Connection: close\r\n", "").as_bytes()),
            Fault::NeverTells => {
                // Of a client that does not read, the end shows as a failure to write.
                client.write_all(bytes).inspect_err(|_| std::thread::sleep(KEPT))
            }
            _ => client.write_all(bytes),
        }
    }

    /// The status of an answer to a client whose upstream has said nothing in its time.
    pub(crate) fn given_up(
        self,
        status: &'static str,
        client: &TcpStream,
        upstream: TcpStream,
    ) -> io::Result<&'static str> {
        match self.args.fault {
            Fault::CallsItBadGateway => Ok("502 Bad Gateway"),
            Fault::TellsClientNothing | Fault::RetriesPosts => self.failed(status, client),
            Fault::AnswersWithAnothers => {
                lock(&OWING).push(upstream);
                Ok(status)
            }
            Fault::GivesUpInSilence => {
                std::thread::spawn(move || wait_end(upstream));
                Ok(status)
            }
            _ => Ok(status),
        }
    }

    /// The status of an answer to a client whose upstream has ended without one.
    pub(crate) fn failed(&self, status: &'static str, mut client: &TcpStream) -> io::Result<&'static str> {
        match self.args.fault {
            Fault::HidesFailures => Ok("200 OK"),
            Fault::TellsClientNothing => {
                let _ = client.read(&mut [0; 1]);
                Ok("")
            }
            Fault::RetriesPosts => {
                io::copy(&mut self.again()?, &mut client)?;
                Ok("")
            }
            _ => Ok(status),
        }
    }

    /// True when the end of a cut answer is not passed on; it always is.
    pub(crate) fn hides_cuts(&self) -> bool {
        matches!(self.args.fault, Fault::MendsCuts | Fault::MendsHalves | Fault::TellsClientNothing)
    }

    /// Ends an answer where its upstream ended, or was given up on.
    pub(crate) fn cut(self, mut client: &TcpStream, upstream: Option<TcpStream>) -> io::Result<()> {
        let missing = missing(&self.answer);
        match self.args.fault {
            Fault::HoldsBack => client.write_all(&self.answer),
            Fault::GivesUpInSilence => {
                upstream.map(|upstream| std::thread::spawn(move || wait_end(upstream)));
                Ok(())
            }
            Fault::TellsClientNothing if missing != Some(0) => self.failed("", client).map(drop),
            Fault::MendsCuts if missing.is_none() => client.write_all(b"0\r\n\r\n"),
            Fault::MendsCuts => client.write_all(&vec![b' '; missing.unwrap_or(0)]),
            Fault::MendsHalves if missing != Some(0) => io::copy(&mut self.again()?, &mut client).map(drop),
            _ => Ok(()),
        }
    }

    /// Sends the request to the second upstream.
    fn again(&self) -> io::Result<TcpStream> {
        let mut second = TcpStream::connect(self.args.second)?;
        second.set_read_timeout(Some(Duration::from_secs(1)))?;
        second.write_all(&self.request)?;
        Ok(second)
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        if self.is(Fault::CancelsAll) {
            lock(&ALL).retain(|(begun_at, _)| *begun_at != self.begun_at);
        }
    }
}

fn lock<T>(list: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads what comes until the connection ends, at most for a while.
fn wait_end(mut upstream: TcpStream) {
    let until = Instant::now() + KEPT;
    let _ = upstream.set_read_timeout(Some(KEPT));
    while Instant::now() < until && upstream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {}
}

/// Returns the number of bytes that an answer lacks; `None` for one whose last chunk has not come.
fn missing(answer: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    if head.contains("Transfer-Encoding: chunked") {
        return body.ends_with("0\r\n\r\n").then_some(0);
    }
    let length =
        head.lines().find_map(|line| line.strip_prefix("Content-Length: "))?.parse::<usize>().ok()?;
    Some(length.saturating_sub(body.len()))
}
