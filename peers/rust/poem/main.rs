//! poem as its documentation writes a handler, under tokio's timeout.
use poem::http::StatusCode;
use poem::listener::TcpListener;
use poem::{Body, Request, Route, Server, get, handler};

#[path = "../witness.rs"]
mod witness;

#[tokio::main]
async fn main() -> Result<(), std::io::Error> {
    let port = std::env::args().nth(1).expect("a port is given");
    let app = Route::new().at("/fast", get(fast)).at("/slow", get(slow).post(slow));
    Server::new(TcpListener::bind(format!("127.0.0.1:{port}"))).run(app).await
}

#[handler]
fn fast() -> &'static str {
    "fast\n"
}

#[handler]
async fn slow(request: &Request, body: Body) -> (StatusCode, String) {
    let query = request.uri().query().unwrap_or_default();
    match witness::Work::new(query, |name| request.header(name)) {
        Err(error) => (StatusCode::BAD_REQUEST, error),
        Ok(work) => match tokio::time::timeout(work.timeout, run(work, body)).await {
            Ok(()) => (StatusCode::OK, "slow\n".to_owned()),
            Err(_) => (StatusCode::GATEWAY_TIMEOUT, "too late\n".to_owned()),
        },
    }
}

async fn run(mut work: witness::Work, body: Body) {
    if work.reads {
        let _ = body.into_bytes().await;
    }
    while work.more() {
        tokio::time::sleep(work.pause()).await;
    }
}
