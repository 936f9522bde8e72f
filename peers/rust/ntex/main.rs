//! ntex as its documentation writes a handler, under its own timeout.
use ntex::time;
use ntex::web::{self, App, HttpRequest, HttpResponse, types::Payload};

#[path = "../witness.rs"]
mod witness;

#[ntex::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).expect("a port is given");
    web::server(async || {
        let slow_ = web::resource("/slow").route(web::get().to(slow)).route(web::post().to(slow));
        App::new().service(web::resource("/fast").to(fast)).service(slow_)
    })
    .bind(format!("127.0.0.1:{port}"))?
    .run()
    .await
}

async fn fast() -> &'static str {
    "fast\n"
}

async fn slow(request: HttpRequest, body: Payload) -> HttpResponse {
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    match witness::Work::new(request.query_string(), header) {
        Err(error) => HttpResponse::BadRequest().body(error),
        Ok(work) => match time::timeout(work.timeout, run(work, body)).await {
            Ok(()) => HttpResponse::Ok().body("slow\n"),
            Err(_) => HttpResponse::GatewayTimeout().body("too late\n"),
        },
    }
}

async fn run(mut work: witness::Work, mut body: Payload) {
    while work.reads && body.recv().await.is_some() {}
    while work.more() {
        time::sleep(work.pause()).await;
    }
}
