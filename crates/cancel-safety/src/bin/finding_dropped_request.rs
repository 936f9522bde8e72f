//! A request that is dropped when its answer has come leaves its connection open.

use std::error::Error;
use std::pin::pin;

use bytes::Bytes;
use futures::FutureExt;
use http_body_util::Empty;
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::task::yield_now;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    for answered in [false, true] {
        let (near, mut server) = duplex(4096);
        let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await?;
        let connection = tokio::spawn(connection);
        {
            let request = Request::get("/").header("host", "a").body(Empty::<Bytes>::new())?;
            let mut response = pin!(sender.send_request(request));
            assert!(response.as_mut().now_or_never().is_none());
            server.read_buf(&mut Vec::new()).await?;
            if answered {
                server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
            }
            // The connection's task sees what has come. The response is not polled again, and dropped.
            yield_now().await;
        }
        yield_now().await;
        println!("answered: {answered}, the connection is closed: {}", sender.is_closed());
        connection.abort();
    }
    Ok(())
}
