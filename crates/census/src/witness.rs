//! Heartbeats for an observer who trusts no counter.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The socket that heartbeats leave by; closed when no witness was named at the start. No request can choose where
/// they go.
#[derive(Debug)]
pub(crate) struct Witness(Option<UdpSocket>);

/// The longest datagram: an id of 64 bytes and the longest event fit well.
const DATAGRAM: usize = 128;

impl Witness {
    pub(crate) fn open(address: Option<SocketAddr>) -> io::Result<Self> {
        let Some(address) = address else { return Ok(Self(None)) };
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(address)?;
        // A witness that does not keep up loses datagrams; it must never slow the work it watches.
        socket.set_nonblocking(true)?;
        Ok(Self(Some(socket)))
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Where heartbeats go.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.0.as_ref().and_then(|socket| socket.peer_addr().ok())
    }

    /// Sends `<id> <event>` as one datagram, or drops it when it cannot leave at once.
    pub(crate) fn send(&self, id: &str, event: Arguments<'_>) {
        let Some(socket) = &self.0 else { return };
        let mut datagram = [0; DATAGRAM];
        let mut rest = &mut datagram[..];
        if write!(rest, "{id} {event}").is_ok() {
            let length = DATAGRAM - rest.len();
            let _ = socket.send(&datagram[..length]);
        }
    }
}
