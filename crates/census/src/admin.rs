//! `GET /census` and `GET /metrics`, one connection at a time, on a thread that shares nothing with the runtime.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use contract::{Answer, Refusal, answer, limits, settings, wire};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Response};

use crate::Census;

/// How long one client of the admin endpoint may take; the next one waits behind it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Listens on `address` and serves `census` on a new thread for as long as the process lives.
pub(crate) fn start(
    address: SocketAddr,
    census: Census,
    tasks: impl Fn() -> Option<usize> + Send + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).map_err(|error| settings::taken("admin", address, &error))?;
    let address = listener.local_addr()?;
    thread::Builder::new().name("census".into()).spawn(move || {
        loop {
            match listener.accept() {
                // A client that leaves or stalls is its own loss.
                Ok((stream, _)) => drop(serve(stream, &census, &tasks)),
                Err(_) => thread::sleep(limits::ACCEPT_PAUSE),
            }
        }
    })?;
    Ok(address)
}

fn serve(mut stream: TcpStream, census: &Census, tasks: &impl Fn() -> Option<usize>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    let head = loop {
        match wire::head(&bytes) {
            Ok(Some((head, _))) => break Ok(head),
            Ok(None) => match stream.read(&mut chunk)? {
                0 => return Ok(()),
                read => bytes.extend_from_slice(&chunk[..read]),
            },
            Err(refusal) => break Err(refusal),
        }
    };
    let is_head = head.as_ref().is_ok_and(|head| head.method == Method::HEAD);
    let answer = head.map_or_else(
        |refusal| answer::refused(None, &refusal),
        |head| {
            if !matches!(head.method, Method::GET | Method::HEAD) {
                return answer::refused(None, &Refusal::Method { allow: "GET, HEAD" });
            }
            match head.uri.path() {
                "/census" => json(census, tasks()),
                "/metrics" => text(census.snapshot(tasks()).prometheus(), "text/plain; version=0.0.4"),
                _ => answer::refused(None, &Refusal::NotFound),
            }
        },
    );
    stream.write_all(&wire::bytes(&answer::closing(answer), is_head))
}

fn json(census: &Census, tasks: Option<usize>) -> Answer {
    let snapshot = census.snapshot(tasks);
    let mut body = serde_json::to_string(&snapshot).expect("a struct of numbers has a JSON form");
    body.push('\n');
    text(body, "application/json")
}

fn text(body: String, kind: &'static str) -> Answer {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
