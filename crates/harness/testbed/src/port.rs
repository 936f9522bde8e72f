//! Ports for servers that cannot be asked for the one that the kernel picked.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_none_that_is_in_use() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, free().unwrap())).unwrap();
        let held = held.local_addr().unwrap().port();
        let given: std::collections::BTreeSet<u16> = (0..100).map(|_| free().unwrap()).collect();
        assert_eq!(given.len(), 100);
        assert!(!given.contains(&held) && given.iter().all(|port| PORTS.contains(port)));
    }
}
