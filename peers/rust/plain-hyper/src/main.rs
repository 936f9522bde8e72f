//! The null row: hyper on tokio as its guide shows it, with `tokio::time::timeout` around the work and nothing else.
//!
//! Nobody watches the socket, bounds a head or drains a shutdown here, so what this server keeps, hyper and tokio keep by
//! themselves, and what it breaks is what a server has to see to.

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a print waits for its reader; `service::log` never does"
)]

use std::convert::Infallible;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use census::{Census, Job};
use contract::settings::taken;
use contract::{Answer, BodyUse, Call, Endpoint, Identity, Reason, Refusal, Settings, Slow, answer, limits};
use ctx::Context;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::{sleep_until, timeout};
use tokio::{runtime, task};

fn main() -> ExitCode {
    service::run(env!("CARGO_PKG_NAME"), |settings| runtime::Runtime::new()?.block_on(serve(settings)))
}

/// Serves until a signal kills the process.
async fn serve(settings: Settings) -> io::Result<bool> {
    let listener = listen(&settings)?;
    let (census, admin) = Census::start("plain-hyper", &settings, || None)?;
    service::announce(listener.local_addr()?, admin)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        task::spawn(async move {
            let _counted = census.connection(usize::MAX);
            let service = service_fn(|request| handle(census, settings.request_timeout, request));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Listens with the backlog of the lab's own servers; std's, of 128, would stall a storm of clients.
fn listen(settings: &Settings) -> io::Result<TcpListener> {
    let socket = if settings.listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(settings.listen).map_err(|error| taken("listen", settings.listen, &error))?;
    socket.listen(limits::BACKLOG.cast_unsigned())
}

async fn handle(
    census: Census,
    most: Duration,
    request: Request<Incoming>,
) -> Result<Response<String>, Infallible> {
    let (head, body) = request.into_parts();
    let call = match Call::read(&head, || census.make_id()).and_then(Call::inside) {
        Ok(call) => call,
        Err(refusal) => {
            let identity = Identity::read(&head.headers, || census.make_id()).ok();
            return Ok(answer::refused(identity.as_ref(), &refusal));
        }
    };
    let identity = call.identity;
    // It ends when it is dropped, with the handler's future or behind its answer.
    let (ctx, _guard) = Context::background().with_value(census.scope(identity.clone())).with_cancel();
    let mut counted = census.request(&ctx, &identity);
    let patience = call.budget.map_or(most, |budget| budget.min(most));
    let answering = timeout(patience, endpoint(counted.job(), &identity, &call.endpoint, body));
    let answer = match answering.await {
        Ok(answered) => answered.unwrap_or_else(|refusal| answer::refused(Some(&identity), &refusal)),
        Err(_) => answer::ended(&identity, Reason::Deadline),
    };
    counted.answered(answer.status());
    Ok(answer)
}

async fn endpoint(
    job: Job,
    identity: &Identity,
    endpoint: &Endpoint,
    body: Incoming,
) -> Result<Answer, Refusal> {
    match endpoint {
        Endpoint::Fast => Ok(answer::fast(identity)),
        Endpoint::Upload => Ok(answer::upload(identity, read(body).await?)),
        Endpoint::Slow(params) => slow(job, identity, params, body).await,
        _ => Err(Refusal::NotFound),
    }
}

async fn slow(job: Job, identity: &Identity, params: &Slow, body: Incoming) -> Result<Answer, Refusal> {
    let _unread = match params.body {
        BodyUse::Read => read(body).await.map(|_| None)?,
        BodyUse::Ignore => Some(body),
        BodyUse::Drop => None,
    };
    // Work is the same in every style: it waits, and is dropped with its future.
    let began = Instant::now();
    let mut work = job.start();
    for end in params.ticks().from(began) {
        sleep_until(end.into()).await;
        work.beat();
    }
    work.completed();
    Ok(answer::slow(identity, began.elapsed()))
}

async fn read(body: Incoming) -> Result<usize, Refusal> {
    let read = Limited::new(body, limits::BODY).collect().await;
    read.map(|body| body.to_bytes().len()).map_err(|error| match error.is::<LengthLimitError>() {
        true => Refusal::BodyTooLarge,
        false => Refusal::Malformed("malformed or incomplete body"),
    })
}
