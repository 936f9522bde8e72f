//! The least server that the playground can show: work that listens in style `context`, and work that does not in any other.
//!
//! No machine is so slow that its work ends otherwise: what does not listen runs for its length behind the end of its request,
//! and a request that gave no deadline is answered only where its work listens and is done.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::{Duration, Instant};

/// The argument that makes a program this server.
pub(crate) const WORD: &str = "__play-server";
/// One unit of work.
const TICK: Duration = Duration::from_millis(10);
/// The longest time for which a request waits.
const LONGEST: Duration = Duration::from_secs(60);

/// Serves on a free port until it is killed.
pub(crate) fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    println!("listening on http://{}", listener.local_addr().expect("it is bound"));
    for stream in listener.incoming().filter_map(Result::ok) {
        std::thread::spawn(move || answer(stream));
    }
}

/// The parameters of a request.
struct Asked {
    id: String,
    listens: bool,
    work: Duration,
    deadline: Duration,
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let head: Vec<String> = BufReader::new(stream)
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .map(|line| line.to_ascii_lowercase())
        .collect();
    let field = |name: &str| head.iter().find_map(|line| line.strip_prefix(name));
    let query = head.first()?.split(['?', '&', ' ']).map(str::to_owned).collect::<Vec<_>>();
    let parameter = |name: &str| query.iter().find_map(|pair| pair.strip_prefix(name));
    let ms = |text: &str, unit: &str| text.strip_suffix(unit)?.parse().ok().map(Duration::from_millis);
    Some(Asked {
        id: field("x-request-id: ")?.to_owned(),
        listens: parameter("style=")? == "context",
        work: ms(parameter("work=")?, "ms")?,
        deadline: field("grpc-timeout: ").and_then(|text| ms(text, "m")).unwrap_or(LONGEST),
    })
}

fn answer(mut stream: TcpStream) -> Option<()> {
    let Asked { id, listens, work, deadline } = read(&stream)?;
    let is_done = listens && work <= deadline;
    let until = Instant::now() + if is_done { work } else { deadline };
    let (over, is_over) = mpsc::channel::<()>();
    let worker = std::thread::spawn(move || {
        let length = if listens { Length::ToTheEnd(until) } else { Length::Behind(work) };
        works(&id, length, is_done, &is_over)
    });
    while Instant::now() < until {
        if has_left(&stream) {
            return None;
        }
    }
    if listens {
        worker.join().ok()?;
    }
    drop(over);
    let status = if is_done { "200 OK" } else { "504 Gateway Timeout" };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n").ok()
}

/// The length of work.
enum Length {
    /// Until then, or to the end of its request.
    ToTheEnd(Instant),
    /// This long behind the end of its request.
    Behind(Duration),
}

/// Beats until it is done; `is_over` is disconnected at the end of the request.
fn works(id: &str, length: Length, is_done: bool, is_over: &Receiver<()>) -> Option<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
    socket.connect(std::env::var("LAB_WITNESS").ok()?).ok()?;
    let say = |word: String| socket.send(format!("{id} {word}").as_bytes());
    say("start".into()).ok()?;
    let (mut beats, mut left_at) = (0, None);
    loop {
        if left_at.is_none() && is_over.try_recv() == Err(TryRecvError::Disconnected) {
            left_at = Some(Instant::now());
        }
        let ends = match length {
            Length::ToTheEnd(until) => left_at.is_some() || Instant::now() >= until,
            Length::Behind(work) => left_at.is_some_and(|at: Instant| at.elapsed() >= work),
        };
        if ends {
            break;
        }
        std::thread::sleep(match length {
            Length::ToTheEnd(until) => TICK.min(until.saturating_duration_since(Instant::now())),
            Length::Behind(_) => TICK,
        });
        beats += 1;
        say(format!("beat {beats}")).ok()?;
    }
    let stopped = matches!(length, Length::ToTheEnd(_)) && (left_at.is_some() || !is_done);
    say(format!("end {}", if stopped { "canceled" } else { "completed" })).ok()?;
    Some(())
}

/// Returns true once nothing more comes from the client; takes 2 ms to find out.
fn has_left(mut stream: &TcpStream) -> bool {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(2)));
    match stream.read(&mut [0; 16]) {
        Ok(length) => length == 0,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}
