//! The pooling HTTP client of hyper-util.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use drop_at_await::{Outcome, Report};
use http_body_util::{BodyExt, Empty};
use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::yield_now;
use tower::service_fn;

use super::of;
use crate::case::Case;
use crate::case::Claim::Nothing;
use crate::case::Invariant::State;
use crate::tools::{check, in_tokio};

pub(super) fn cases() -> Vec<Case> {
    vec![
        of(
            "hyper-util",
            "client::legacy::Client::get",
            "hyper_util/client/legacy/struct.Client.html#method.get",
        )
        .says(Nothing, "hyper-util/src/client/legacy/client.rs", "pub fn get(")
        .moving("1 request, and the next one from the pool", State)
        .keeps(get),
    ]
}

/// The client's end of a connection in memory.
struct Near(TokioIo<DuplexStream>);

impl Connection for Near {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Near {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Near {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Answers each request with the one digit of its path, in three parts.
async fn serve(mut far: DuplexStream) -> io::Result<()> {
    let mut request = Vec::new();
    while far.read_buf(&mut request).await? > 0 {
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let digit = request[b"GET /".len()];
        request.clear();
        for part in [&b"HTTP/1.1 200 OK\r\n"[..], b"content-length: 1\r\n\r\n", &[digit]] {
            yield_now().await;
            far.write_all(part).await?;
        }
    }
    Ok(())
}

fn get() -> Report {
    in_tokio(async |run| {
        let connector = service_fn(|_: Uri| {
            let (near, far) = duplex(4096);
            tokio::spawn(serve(far));
            ready(Ok::<_, Infallible>(Near(TokioIo::new(near))))
        });
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
        let get = async |uri: &'static str| {
            let response = client.get(Uri::from_static(uri)).await.ok()?;
            Some(response.into_body().collect().await.ok()?.to_bytes())
        };
        drop(run.drive(get("http://a/1")).await);
        for _ in 0..20 {
            yield_now().await;
        }
        match run.drive(get("http://a/2")).await {
            Outcome::Completed(answer) => {
                check(answer.as_deref() == Some(b"2"), &format!("its answer: {answer:?}"))
            }
            _ => Ok(()),
        }
    })
}
