//! Ports for servers that cannot be asked for the one that the kernel picked, and ports that refuse.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use socket2::{Domain, Protocol, Socket, Type};

/// Below the ports that Linux gives to clients: none of them can take one between its choice and its use.
const PORTS: Range<u16> = 20_000..32_000;
/// Ports that another program may hold before the search is given up.
const TRIES: usize = 1000;

/// A port of the loopback address that nobody listens on now, and that this process was not given before.
///
/// # Errors
/// When a thousand of them are in use.
pub fn free() -> io::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that run side by side begin far apart.
    let begin = std::process::id().wrapping_mul(7919);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let number =
            begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % u32::from(PORTS.end - PORTS.start);
        let port = PORTS.start + number as u16;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A port of the loopback address that refuses every connection, for as long as it is held.
///
/// It is bound, and nothing listens. One that was only free a moment ago may be another program's by now.
#[derive(Debug)]
pub struct Refusing {
    address: SocketAddr,
    _held: Socket,
}

impl Refusing {
    /// Takes a port that the kernel picks.
    ///
    /// # Errors
    /// When none can be had.
    pub fn hold() -> io::Result<Self> {
        let held = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        held.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = held.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { address, _held: held })
    }

    /// Returns the address that refuses.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_port_is_given_once_and_none_that_is_in_use() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, free().unwrap())).unwrap();
        let held = held.local_addr().unwrap().port();
        let given: std::collections::BTreeSet<u16> = (0..100).map(|_| free().unwrap()).collect();
        assert_eq!(given.len(), 100);
        assert!(!given.contains(&held) && given.iter().all(|port| PORTS.contains(port)));
    }

    #[test]
    fn a_port_that_is_held_refuses_and_is_no_one_else_s() {
        let refusing = Refusing::hold().unwrap();
        let refused = TcpStream::connect(refusing.address()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let taken = TcpListener::bind(refusing.address()).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    }
}
