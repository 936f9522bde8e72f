//! The least server that the playground can show: work that listens in style `context`, and work that does not in any other.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// The argument that makes a program this server.
pub(crate) const WORD: &str = "__play-server";
/// One unit of work.
const TICK: Duration = Duration::from_millis(10);

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
        deadline: field("grpc-timeout: ").and_then(|text| ms(text, "m")).unwrap_or(Duration::MAX),
    })
}

fn answer(mut stream: TcpStream) -> Option<()> {
    let asked = read(&stream)?;
    let began = Instant::now();
    let work = {
        let (id, work) = (asked.id.clone(), asked.work);
        let until = if asked.listens { asked.deadline.min(work) } else { work };
        let client = asked.listens.then(|| stream.try_clone()).transpose().ok()?;
        std::thread::spawn(move || works(&id, began + until, until < work, client.as_ref()))
    };
    let status = if asked.work <= asked.deadline { "200 OK" } else { "504 Gateway Timeout" };
    while began.elapsed() < asked.deadline.min(asked.work) {
        if has_left(&stream) {
            return None;
        }
    }
    if asked.listens {
        work.join().ok()?;
    }
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n").ok()
}

/// Beats until it is done, or its client has left.
fn works(id: &str, until: Instant, is_canceled: bool, client: Option<&TcpStream>) -> Option<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
    socket.connect(std::env::var("LAB_WITNESS").ok()?).ok()?;
    let say = |word: String| socket.send(format!("{id} {word}").as_bytes());
    say("start".into()).ok()?;
    let mut beats = 0;
    let mut left = false;
    while Instant::now() < until && !left {
        std::thread::sleep(TICK.min(until.saturating_duration_since(Instant::now())));
        beats += 1;
        say(format!("beat {beats}")).ok()?;
        left = client.is_some_and(has_left);
    }
    say(format!("end {}", if is_canceled || left { "canceled" } else { "completed" })).ok()?;
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
