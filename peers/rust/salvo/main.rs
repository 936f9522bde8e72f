//! salvo as its documentation writes a handler, under tokio's timeout.
use salvo::prelude::*;

#[path = "../witness.rs"]
mod witness;

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).expect("a port is given");
    let acceptor = TcpListener::new(format!("127.0.0.1:{port}")).bind().await;
    let router = Router::with_path("slow").get(slow).post(slow);
    Server::new(acceptor).serve(Router::new().push(router).push(Router::with_path("fast").get(fast))).await;
}

#[handler]
async fn fast() -> &'static str {
    "fast\n"
}

#[handler]
async fn slow(req: &mut Request, res: &mut Response) {
    let query = req.uri().query().unwrap_or_default();
    let (status, text) = match witness::Work::new(query, |name| req.headers().get(name)?.to_str().ok()) {
        Err(error) => (StatusCode::BAD_REQUEST, error),
        Ok(work) => match tokio::time::timeout(work.timeout, run(work, req)).await {
            Ok(()) => (StatusCode::OK, "slow\n".to_owned()),
            Err(_) => (StatusCode::GATEWAY_TIMEOUT, "too late\n".to_owned()),
        },
    };
    res.status_code(status).render(text);
}

async fn run(mut work: witness::Work, req: &mut Request) {
    if work.reads {
        let _ = req.payload().await;
    }
    while work.more() {
        tokio::time::sleep(work.pause()).await;
    }
}
