//! A call to another server.

use std::future::pending;
use std::pin::Pin;

use contract::Failure;
use contract::upstream::{self, Ask};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::select;

// tokio: `select!` races its branches in place, where the others race futures that they name.
// tokio: hyper reads from a stream as `TokioIo`.

/// A call under way; its connection is closed when it is dropped.
pub(crate) type Call = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// Asks the upstream for the work and reads the status of its answer. The connection is closed when the future ends, or is
/// dropped.
///
/// # Errors
/// What the status means, or that there is none.
pub(crate) async fn call(ask: Ask) -> Result<(), Failure> {
    let stream = TcpStream::connect(ask.to).await.map_err(|_| Failure::Upstream)?;
    let _ = stream.set_nodelay(true);
    let (mut sender, conn) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Failure::Upstream)?;
    let answer = sender.send_request(ask.request.map(|()| Empty::<Bytes>::new()));
    // The connection is over before its last answer is read, and has no answer of its own.
    let driven = async {
        let _ = conn.await;
        pending().await
    };
    let answer = select! {
        biased;
        answer = answer => answer,
        never = driven => never,
    };
    upstream::answered(answer.map_err(|_| Failure::Upstream)?.status())
}
