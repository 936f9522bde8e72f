//! A call to another server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::slice;

use contract::Failure;
use contract::upstream::{self, Ask};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

// threads: another body, because a thread that reads is told by a shutdown, and no future can be dropped.
/// A call under way; its connection is closed when it is dropped.
pub(crate) struct Call(TcpStream);

impl Drop for Call {
    // threads: only here, because no future can be dropped.
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

// threads: another body, because one thread asks, and another waits.
/// Asks the upstream for the work and reads the status of its answer. The connection is closed when the future ends, or is
/// dropped.
///
/// # Errors
/// What the status means, or that there is none.
pub(crate) fn call(ask: &Ask) -> Result<Call, Failure> {
    let socket =
        Socket::new(Domain::for_address(ask.to), Type::STREAM, None).map_err(|_| Failure::Upstream)?;
    socket.set_nonblocking(true).map_err(|_| Failure::Upstream)?;
    match socket.connect(&ask.to.into()) {
        Ok(()) => {}
        // An upstream whose queue is full accepts late, or never.
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
        Err(_) => return Err(Failure::Upstream),
    }
    let _ = socket.set_tcp_nodelay(true);
    Ok(Call(socket.into()))
}

impl Call {
    // threads: only here, because one thread asks, and another waits.
    /// Returns the sending of the request, for another thread; it ends when the call is dropped.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub(crate) fn sent(
        &self,
        ask: &Ask,
    ) -> Result<impl FnOnce() -> Result<TcpStream, Failure> + Send + use<>, Failure> {
        let mut stream = self.0.try_clone().map_err(|_| Failure::Upstream)?;
        let request = upstream::bytes(&ask.request);
        Ok(move || {
            // It is writable once it is connected or has failed, and an interrupted wait is begun again.
            while poll(slice::from_mut(&mut PollFd::new(&stream, PollFlags::OUT)), None).is_err() {}
            let connected = stream.take_error().and_then(|error| error.map_or(Ok(()), Err));
            let sent = connected
                .and_then(|()| stream.set_nonblocking(false))
                .and_then(|()| stream.write_all(&request));
            sent.map_err(|_| Failure::Upstream)?;
            Ok(stream)
        })
    }

    // threads: only here, because one thread asks, and another waits.
    /// Returns the wait for the status of the answer, for another thread; it ends when the call is dropped.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub(crate) fn answer(
        &self,
        ask: &Ask,
    ) -> Result<impl FnOnce() -> Result<(), Failure> + Send + use<>, Failure> {
        let sent = self.sent(ask)?;
        Ok(move || {
            let (mut stream, mut bytes, mut chunk) = (sent()?, Vec::new(), [0; 1024]);
            loop {
                if let Some(status) = upstream::status(&bytes)? {
                    return upstream::answered(status);
                }
                match stream.read(&mut chunk) {
                    Ok(0) | Err(_) => return Err(Failure::Upstream),
                    Ok(read) => bytes.extend_from_slice(&chunk[..read]),
                }
            }
        })
    }
}
