//! A service on axum whose deadlines, disconnects, values, calls and queries all go through `ctx`.
//!
//! `asked` holds what the lab asks of any server: flags, parameters, heartbeats and the form of errors.

use asked::{App, Caller, Failed, Query, Style, Work};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::{Router, routing::get};
use ctx::Context;
use ctx_tower::{ContextLayer, Ctx};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, sleep_until};

mod asked;
mod pool;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (app, root) = (App::of_arguments(), ctx_tokio::attach(&Context::background()));
    let routes = Router::new().route("/fast", get(async || "fast\n")).route("/values", get(values));
    let routes = routes.route("/slow", get(slow).post(slow)).with_state(app);
    let routes = routes.layer(ContextLayer::new(&root, app.request_timeout));
    let socket = TcpSocket::new_v4()?;
    socket.bind(app.listen)?;
    // By default 128 connections wait to be accepted, and the client of one more tries again after a second.
    axum::serve(socket.listen(4096)?, routes).await
}

/// Works in the style that is asked for.
async fn slow(Ctx(ctx): Ctx, State(app): State<&'static App>, request: Request) -> Result<String, Failed> {
    match app.style(request).await? {
        Style::Context(work) => tokio::spawn(units(ctx, work)).await?,
        Style::Upstream(at, request) => call(&ctx, app, at, request).await,
        Style::Query(query) => tokio::spawn(rows(ctx, query)).await?,
    }
}

/// Waits for one unit after another; as a task, it is stopped by nothing but its context.
async fn units(ctx: Context, mut work: Work) -> Result<String, Failed> {
    while work.more() {
        ctx.run_timed(sleep(work.pause())).await?;
    }
    Ok("slow\n".into())
}

/// Calls the upstream with what is left of the time, less the reserve; the end of the context closes the connection.
async fn call(ctx: &Context, app: &App, at: &str, request: Request) -> Result<String, Failed> {
    let (call, _cancel) = ctx.with_reserve(app.reserve);
    let answer = async {
        let stream = TokioIo::new(call.run_timed(TcpStream::connect(at)).await??);
        let answer = ctx_hyper::send(&call, stream, request, |at| sleep_until(at.into())).await?;
        asked::passed_on(answer.status(), &to_bytes(Body::new(answer.into_body()), 1 << 20).await?)
    };
    let answer = answer.await;
    if call.err().is_some() {
        // The reserve is for an answer; there is none, and no 504 is early.
        ctx.done_timed().await;
    }
    answer
}

/// Runs a query, which the end of the context cancels in the database; its connection is lent again behind that alone.
async fn rows(ctx: Context, query: Query<'_>) -> Result<String, Failed> {
    let mut lent = ctx.run_timed(query.pool.lend()).await??;
    let outcome = lent.session.run(&ctx, async |client| client.simple_query(&query.sql).await).await;
    query.pool.keep(lent).await;
    Ok(outcome.map(|_| "slow\n".into())?)
}

/// Answers who calls, as a task finds it in its context.
async fn values(Ctx(ctx): Ctx, caller: Caller) -> Result<Caller, Failed> {
    let ctx = ctx.with_value(caller);
    let task = tokio::spawn(async move { ctx.value::<Caller>().cloned() });
    Ok(task.await?.expect("it was put there"))
}
