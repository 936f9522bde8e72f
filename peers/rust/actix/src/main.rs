//! The fast/slow server on actix-web, as people write it: a peer of the lab's own servers.
//!
//! The deadline is `rt::time::timeout` around the next service, which drops the handler's future. Whether a client has left
//! is actix's to notice: by default it serves half-closed connections, and so takes a FIN for one.

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a print waits for its reader; `service::log` never does"
)]

mod handlers;
mod work;

use std::io;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use census::Census;
use contract::{Call, Identity, Reason, Settings, answer, limits};
use ctx::Context;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpMessage, HttpServer, rt, web};
use clap::{ArgAction, Parser};
use socket2::{Domain, Socket, Type};

use crate::handlers::{Asked, Guards, reply};

/// The lab's flags, and actix's own.
#[derive(Debug, Parser)]
#[command(version)]
struct Flags {
    #[command(flatten)]
    settings: Settings,
    /// Serve a client that has closed its sending side
    #[arg(long, value_name = "BOOL", default_value = "true", action = ArgAction::Set)]
    half_closed: bool,
}

fn main() -> ExitCode {
    service::run(env!("CARGO_PKG_NAME"), |flags: Flags| rt::System::new().block_on(serve(flags)))
}

/// Serves until a signal stops it; returns whether all work has ended.
async fn serve(flags: Flags) -> io::Result<bool> {
    let settings = flags.settings;
    let listener = listen(&settings)?;
    let (census, admin) = Census::start("actix", &settings, || None)?;
    service::announce(listener.local_addr()?, admin)?;
    let timeout = settings.request_timeout;
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(move |request, next| limited(census, timeout, request, next)))
            .service(web::resource("/fast").to(handlers::fast))
            .service(web::resource("/slow").to(handlers::slow))
            .service(web::resource("/values").to(handlers::values))
            .service(web::resource("/upload").to(handlers::upload))
            .service(web::resource("/stream").to(handlers::stream))
            .service(web::resource("/panic").to(handlers::panic))
    })
    .on_connect(move |_, connection| {
        connection.insert(Arc::new(census.connection(usize::MAX)));
    })
    .workers(settings.threads())
    .worker_max_blocking_threads(settings.blocking_threads.get().div_ceil(settings.threads()))
    .tcp_nodelay(true)
    .client_request_timeout(settings.read_header_timeout)
    .keep_alive(settings.idle_timeout)
    .h1_allow_half_closed(flags.half_closed)
    .shutdown_timeout(settings.shutdown_timeout.as_secs())
    .listen(listener)?;
    server.run().await?;
    Ok(census.work() == 0)
}

fn listen(settings: &Settings) -> io::Result<TcpListener> {
    let address = settings.listen;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    let bound = socket.bind(&address.into());
    bound.map_err(|error| contract::settings::taken("listen", address, &error))?;
    socket.listen(limits::BACKLOG)?;
    Ok(socket.into())
}

/// Reads what is asked for, and gives it no longer than its deadline.
async fn limited(
    census: Census,
    timeout: Duration,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let head = handlers::head(request.head());
    let call = match Call::read(&head, || census.make_id()).and_then(Call::inside) {
        Ok(call) => call,
        Err(refusal) => {
            let identity = Identity::read(&head.headers, || census.make_id()).ok();
            return Ok(request.into_response(reply(answer::refused(identity.as_ref(), &refusal))));
        }
    };
    let timeout = call.budget.map_or(timeout, |budget| budget.min(timeout));
    let identity = call.identity.clone();
    // The context ends when the guard is dropped, with the answer or before it: nobody else ends it.
    let (ctx, guard) = Context::background().with_value(census.scope(call.identity)).with_cancel();
    let mut counted = census.request(&ctx, &identity);
    request.extensions_mut().insert(Asked { endpoint: call.endpoint, ctx, job: counted.job() });
    let Ok(response) = rt::time::timeout(timeout, next.call(request)).await else {
        counted.answered(http::StatusCode::GATEWAY_TIMEOUT);
        let answer = reply(answer::ended(&identity, Reason::Deadline));
        return Err(InternalError::from_response("context deadline exceeded", answer).into());
    };
    let response = response?;
    counted.answered(response.status().as_u16().try_into().expect("a status is a status"));
    let guards = (guard, counted);
    Ok(response.map_body(|_, body| BoxBody::new(Guards { body, _guards: guards })))
}
