//! The broken intermediary: `broken-proxy --listen ADDR --upstream ADDR --second ADDR --fault NAME`. Without a fault it keeps
//! every promise of the area `through`, in as few lines as that takes.
//!
//! A thread a connection. It sends one request to an upstream, asks it to close behind the answer, and then waits in `poll`
//! for whatever comes first: the client's end, a byte of its body, a byte of the answer, the end of the upstream's time. Each
//! fault does otherwise at one place, which `fault.` marks.

mod fault;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use broken::proxy::Fault;
use clap::Parser;
use rustix::event::{PollFd, PollFlags, Timespec};
use socket2::SockRef;

use crate::fault::Broken;

#[derive(Clone, Copy, Parser)]
#[command(about = "An intermediary that breaks one promise on purpose.")]
struct Args {
    /// Where it listens
    #[arg(long)]
    listen: SocketAddr,
    /// Where it sends what it gets
    #[arg(long)]
    upstream: SocketAddr,
    /// A second server of the route /pair/, for when the first one refuses
    #[arg(long)]
    second: SocketAddr,
    /// The promise to break
    #[arg(long, value_enum, value_name = "NAME", default_value = "none")]
    fault: Fault,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.listen)?;
    let (alive, stops) = (Arc::new(()), listener.try_clone()?);
    let waits = alive.clone();
    let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM])?;
    std::thread::spawn(move || {
        signals.forever().next();
        // Ends `incoming`, and refuses every later client.
        let _ = rustix::net::shutdown(&stops, rustix::net::Shutdown::Both);
        while Arc::strong_count(&waits) > 2 && args.fault != Fault::DiesAtSigterm
            || args.fault == Fault::OutlivesSigterm
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::process::exit(0)
    });
    for client in listener.incoming() {
        let (Ok(client), alive) = (client, alive.clone()) else { break };
        std::thread::spawn(move || {
            let served = client.try_clone().and_then(|client| Exchange::serve(client, args));
            // An error means that one side has gone, and the other learns that by the end of its own connection.
            if served.is_ok() {
                linger(&client);
            }
            drop(alive);
        });
    }
    loop {
        std::thread::park();
    }
}

/// One request and its answer.
struct Exchange {
    client: BufReader<TcpStream>,
    upstream: TcpStream,
    /// Bytes of the request's body that have not come yet.
    owed: usize,
    /// Bytes of the answer that have gone to the client.
    sent: usize,
    /// The longest time for which the upstream may say nothing.
    patience: Option<Duration>,
    fault: Broken,
}

/// The result of a wait.
struct Ready {
    left: bool,
    body: bool,
    answer: bool,
}

impl Exchange {
    fn serve(client: TcpStream, args: Args) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut client = BufReader::new(client);
        let Some((head, owed)) = read_head(&mut client, args.fault)? else {
            return answer(client.get_ref(), "411 Length Required");
        };
        let is_brief = head.contains(" /brief/") || head.contains(" /pair/");
        let fault = Broken::new(args, &head);
        let upstream = fault.connect().or_else(|_| TcpStream::connect(args.second))?;
        upstream.set_nodelay(true)?;
        (&upstream).write_all(head.as_bytes())?;
        let patience = is_brief.then_some(Duration::from_secs(1));
        Self { client, upstream, owed, sent: 0, patience, fault }.pass_on()
    }

    /// Passes the body on to the upstream and the answer to the client, until one of them ends.
    fn pass_on(mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let ready = self.wait()?;
            if ready.left {
                return self.fault.left(self.upstream);
            }
            if ready.body {
                let body = self.client.fill_buf()?;
                let length = body.len().min(self.owed);
                self.fault.body(&body[..length], &mut self.upstream)?;
                self.client.consume(length);
                self.owed -= length;
            }
            if !ready.answer && !ready.body {
                return self.give_up();
            }
            if ready.answer {
                match self.upstream.read(&mut buffer) {
                    Ok(0) => return self.upstream_ended(),
                    Ok(length) => {
                        self.fault.answer(&buffer[..length], self.client.get_ref())?;
                        self.sent += length;
                    }
                    Err(_) if self.sent == 0 || self.fault.hides_cuts() => return self.upstream_ended(),
                    Err(error) => {
                        SockRef::from(self.client.get_ref()).set_linger(Some(Duration::ZERO))?;
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Waits for the client's end, its body, or the answer; nothing of them means that the upstream's time is over.
    fn wait(&self) -> io::Result<Ready> {
        let buffered = self.owed > 0 && !self.client.buffer().is_empty();
        let body = if self.owed > 0 { PollFlags::IN } else { PollFlags::empty() };
        let mut ends = [
            PollFd::new(self.client.get_ref(), PollFlags::RDHUP | body),
            PollFd::new(&self.upstream, PollFlags::IN),
        ];
        let patience = if buffered { Some(Duration::ZERO) } else { self.fault.patience(self.patience) };
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        rustix::event::poll(&mut ends, patience.as_ref())?;
        let [client, upstream] = ends.map(|end| end.revents());
        let left = client.intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR);
        Ok(Ready { left, body: buffered || client.contains(PollFlags::IN), answer: !upstream.is_empty() })
    }

    fn give_up(self) -> io::Result<()> {
        if self.sent == 0 {
            let status = self.fault.given_up("504 Gateway Timeout", self.client.get_ref(), self.upstream)?;
            return answer(self.client.get_ref(), status);
        }
        self.fault.cut(self.client.get_ref(), Some(self.upstream))
    }

    fn upstream_ended(self) -> io::Result<()> {
        if self.sent == 0 {
            let status = self.fault.failed("502 Bad Gateway", self.client.get_ref())?;
            return answer(self.client.get_ref(), status);
        }
        self.fault.cut(self.client.get_ref(), None)
    }
}

/// Reads a head; gives it as the upstream is to get it, with the length of the body. `None` for a body of unknown length.
fn read_head(client: &mut BufReader<TcpStream>, fault: Fault) -> io::Result<Option<(String, usize)>> {
    let (mut head, mut owed) = (String::new(), Some(0));
    loop {
        let mut line = String::new();
        if client.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (name, value) = line.split_once(':').unwrap_or((line.as_str(), ""));
        match name.to_ascii_lowercase().as_str() {
            "connection" => continue,
            "transfer-encoding" => owed = fault::length_of_chunks(fault),
            "content-length" => owed = value.trim().parse().ok(),
            name if fault::drops(fault, name) => continue,
            _ => {}
        }
        if line == "\r\n" {
            if fault::skips(fault, client) {
                return read_head(client, fault);
            }
            head.push_str("Connection: close\r\n\r\n");
            return Ok(owed.map(|owed| (head, owed)));
        }
        head.push_str(&line);
    }
}

/// Sends an answer of our own; an empty status sends none.
fn answer(mut client: &TcpStream, status: &str) -> io::Result<()> {
    if status.is_empty() {
        return Ok(());
    }
    write!(client, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// Closes so that nothing on its way to the client is lost: a close with bytes unread would reset the connection.
fn linger(mut client: &TcpStream) {
    let until = Instant::now() + Duration::from_secs(1);
    let _ = client.shutdown(Shutdown::Write);
    let _ = client.set_read_timeout(Some(Duration::from_millis(100)));
    while Instant::now() < until && client.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {}
}
