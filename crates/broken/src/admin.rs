//! The census as a server serves it whose metrics have been renamed, and one that serves its clients one by one.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Serves everything at `admin` but its metrics, at another address, which it returns.
pub(crate) fn without_metrics(admin: SocketAddr) -> io::Result<SocketAddr> {
    serve(move |client| {
        thread::spawn(move || pass(client, admin, "lab_work_orphan"));
    })
}

/// Serves everything at `admin` at another address, which it returns: to one client, and then to the next.
pub(crate) fn one_by_one(admin: SocketAddr) -> io::Result<SocketAddr> {
    // The loss of a client that leaves or stalls is its own, and the next one's.
    serve(move |client| drop(pass(client, admin, "lab_work_zombie")))
}

fn serve(each: impl Fn(TcpStream) + Send + 'static) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    service::thread::spawn("admin", move || listener.incoming().flatten().for_each(each))?;
    Ok(address)
}

/// Passes one request on, and its answer back with another name for the zombies.
fn pass(mut client: TcpStream, admin: SocketAddr, zombies: &str) -> io::Result<()> {
    let (mut head, mut chunk) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") {
        match client.read(&mut chunk)? {
            0 => return Ok(()),
            read => head.extend_from_slice(&chunk[..read]),
        }
    }
    let mut server = TcpStream::connect(admin)?;
    server.write_all(&head)?;
    let mut answer = String::new();
    server.read_to_string(&mut answer)?;
    client.write_all(answer.replace("lab_work_zombie", zombies).as_bytes())
}
