//! A server that does nothing: it accepts, reads to an empty line, and answers a fixed 200. What it cannot do in a second no
//! server can, with this client on this machine.
//!
//! It is a process of its own, like every server: one thread accepts, and as many as there are cores wait for requests.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use parking_lot::Mutex;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use socket2::{Domain, Protocol, Socket, Type};

/// The first argument that turns our executable into the floor.
pub const WORD: &str = "__floor";
/// Its name in tables.
pub const NAME: &str = "accept-only";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 37\r\n\r\n\
    {\"endpoint\":\"fast\",\"request_id\":null}\n";

/// Becomes the floor if this process was started to be it; returns at once otherwise.
///
/// Call it early in `main` of a program that measures servers.
pub fn serve_if_asked() {
    if std::env::args_os().nth(1).is_none_or(|word| word != WORD) {
        return;
    }
    let error = match listen().and_then(|listener| serve(&listener)) {
        Ok(()) => return,
        Err(error) => error,
    };
    eprintln!("failed to serve: {error}");
    std::process::exit(1);
}

fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(4096)?;
    let listener: TcpListener = socket.into();
    println!("listening on http://{}", listener.local_addr()?);
    Ok(listener)
}

/// Accepts, and hands connections to the threads in turn.
fn serve(listener: &TcpListener) -> io::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = (0..cores).map(|_| Worker::new()).collect::<io::Result<Vec<_>>>()?;
    std::thread::scope(|scope| {
        for worker in &workers {
            scope.spawn(|| worker.run());
        }
        for (number, stream) in listener.incoming().enumerate() {
            workers[number % cores].add(stream?)?;
        }
        Ok(())
    })
}

struct Worker {
    epoll: OwnedFd,
    streams: Mutex<Vec<Option<TcpStream>>>,
}

impl Worker {
    fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, streams: Mutex::default() })
    }

    fn add(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let mut streams = self.streams.lock();
        let index = streams.len();
        // Watched and kept under one lock: its first event cannot come before it is there.
        epoll::add(&self.epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
        streams.push(Some(stream));
        Ok(())
    }

    fn run(&self) {
        let mut events: Vec<Event> = Vec::with_capacity(256);
        let mut chunk = [0; 4096];
        loop {
            if epoll::wait(&self.epoll, spare_capacity(&mut events), None).is_err() {
                events.clear();
            }
            let mut streams = self.streams.lock();
            for event in events.drain(..) {
                let slot = &mut streams[event.data.u64() as usize];
                if let Some(stream) = slot
                    && answer(stream, &mut chunk).is_err()
                {
                    *slot = None;
                }
            }
        }
    }
}

/// Answers each head that has come. A head that comes in pieces is answered at its last one.
fn answer(stream: &mut TcpStream, chunk: &mut [u8]) -> io::Result<()> {
    match stream.read(chunk) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(length) if chunk[..length].ends_with(b"\r\n\r\n") => stream.write_all(ANSWER),
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
        Err(error) => Err(error),
    }
}
