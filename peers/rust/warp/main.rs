//! warp as its documentation writes a route, under tokio's timeout.
use std::{convert::Infallible, env, pin::pin};

use futures_util::{Stream, StreamExt};
use warp::http::{HeaderMap, StatusCode};
use warp::{Filter, Reply, reply};

#[path = "../witness.rs"]
mod witness;

#[tokio::main]
async fn main() {
    let port: u16 = env::args().nth(1).and_then(|port| port.parse().ok()).expect("a port is given");
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let fast = warp::path("fast").map(|| "fast\n");
    let slow = warp::path("slow").and(query).and(warp::header::headers_cloned()).and(warp::body::stream());
    warp::serve(fast.or(slow.and_then(slow_))).run(([127, 0, 0, 1], port)).await;
}

async fn slow_<B>(query: String, headers: HeaderMap, body: B) -> Result<impl Reply, Infallible>
where
    B: Stream + Send,
{
    let found = witness::Work::new(&query, |name| headers.get(name)?.to_str().ok());
    Ok(match found {
        Err(error) => reply::with_status(error, StatusCode::BAD_REQUEST),
        Ok(work) => match tokio::time::timeout(work.timeout, run(work, body)).await {
            Ok(()) => reply::with_status("slow\n".to_owned(), StatusCode::OK),
            Err(_) => reply::with_status("too late\n".to_owned(), StatusCode::GATEWAY_TIMEOUT),
        },
    })
}

async fn run(mut work: witness::Work, body: impl Stream) {
    let mut body = pin!(body);
    while work.reads && body.next().await.is_some() {}
    while work.more() {
        tokio::time::sleep(work.pause()).await;
    }
}
