//! A call to another server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use contract::Failure;
use contract::upstream::{self, Ask};

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
pub(crate) fn call(ask: &Ask, deadline: Option<Instant>) -> Result<Call, Failure> {
    // A loopback that does not accept refuses; what drops the attempt is waited for to the deadline.
    let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
    let stream = TcpStream::connect_timeout(&ask.to, left.max(Duration::from_nanos(1)));
    let mut call = Call(stream.map_err(|_| Failure::Upstream)?);
    let _ = call.0.set_nodelay(true);
    call.0.write_all(&upstream::bytes(&ask.request)).map_err(|_| Failure::Upstream)?;
    Ok(call)
}

impl Call {
    // threads: only here, because one thread asks, and another waits.
    /// Returns the wait for the status of the answer, for another thread; it ends when the call is dropped.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub(crate) fn answer(&self) -> Result<impl FnOnce() -> Result<(), Failure> + Send + use<>, Failure> {
        let mut stream = self.0.try_clone().map_err(|_| Failure::Upstream)?;
        Ok(move || {
            let (mut bytes, mut chunk) = (Vec::new(), [0; 1024]);
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
