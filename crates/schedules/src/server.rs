//! The server: hyper, and a context for each connection and request, as the siblings have them.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use ctx::{Cause, Context, Error, Group};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};

use crate::fault::Fault;
use crate::socket::Socket;
use crate::world::World;

/// The kinds of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Work in the handler, under its context.
    Run,
    /// Work in a task of its own, whose result is waited for.
    Spawn,
    /// Work in a group of two, one of which may fail.
    Group,
    /// Work that needs a permit.
    Permit,
    /// Work with a callback at its context's end.
    Callback,
    /// A body that is read against a timer.
    Upload,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Run, Self::Spawn, Self::Group, Self::Permit, Self::Callback, Self::Upload];

    /// Returns the first part of its path.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Spawn => "spawn",
            Self::Group => "group",
            Self::Permit => "permit",
            Self::Callback => "callback",
            Self::Upload => "upload",
        }
    }
}

/// The number of a request, as a value of its context.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) u32);

/// The content of a request's path.
struct Call {
    kind: Kind,
    id: Id,
    deadline: Duration,
    ticks: u32,
}

impl Call {
    fn read(path: &str) -> Option<Self> {
        let mut parts = path.split('/').skip(1);
        let name = parts.next()?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
        let mut number = || parts.next()?.parse().ok();
        let (id, deadline, ticks) = (number()?, number()?, number()?);
        Some(Self { kind, id: Id(id), deadline: Duration::from_millis(u64::from(deadline)), ticks })
    }
}

/// Serves one connection to its end.
pub(crate) async fn connection(world: Rc<World>, socket: Socket, half_close: bool) {
    let base = world.base.clone();
    let (ctx, _cancel) = base.with_cancel();
    let service = service_fn(|request| handle(&world, &ctx, request));
    let mut http = pin!(
        http1::Builder::new()
            .half_close(half_close)
            .auto_date_header(false)
            .serve_connection(socket, service)
    );
    let mut stopped = pin!(base.done(|at| world.sleep(at)));
    let mut draining = false;
    poll_fn(|cx| {
        if !draining && stopped.as_mut().poll(cx).is_ready() {
            draining = true;
            http.as_mut().graceful_shutdown();
        }
        // An error is the client's doing; the connection only has to end.
        http.as_mut().poll(cx).map(drop)
    })
    .await;
}

/// Answers one request.
async fn handle(
    world: &Rc<World>,
    conn: &Context,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let Some(call) = Call::read(request.uri().path()) else {
        return Ok(respond(StatusCode::BAD_REQUEST, Id(0)));
    };
    let parent = if world.fault == Some(Fault::KeptContext) { &world.base } else { conn };
    let (ctx, cancel) = parent.with_value(call.id).with_timeout(call.deadline);
    world.seen.set(call.id.0);
    world.begin();
    let _cancel = if world.fault == Some(Fault::KeptContext) {
        cancel.keep();
        world.kept.borrow_mut().push(ctx.clone());
        None
    } else {
        Some(cancel)
    };
    let ended = match call.kind {
        Kind::Run => run(world, &ctx, call.ticks).await,
        Kind::Spawn => spawn(world, &ctx, call.ticks).await,
        Kind::Group => group(world, &ctx, call.ticks).await,
        Kind::Permit => permit(world, &ctx, call.ticks).await,
        Kind::Callback => callback(world, &ctx, call.ticks).await,
        Kind::Upload => return Ok(upload(world, &ctx, request.into_body()).await),
    };
    let status = match ended {
        Ok(()) => StatusCode::OK,
        Err(Failure::Ended(Error::DeadlineExceeded)) => StatusCode::GATEWAY_TIMEOUT,
        Err(Failure::Ended(Error::Canceled)) if world.is_stopped() => StatusCode::SERVICE_UNAVAILABLE,
        // The client is gone, and the connection is about to drop this future.
        Err(Failure::Ended(Error::Canceled)) => pending().await,
        Err(Failure::Member) => StatusCode::BAD_GATEWAY,
    };
    Ok(answered(world, &ctx, status))
}

/// A failure of a request's work.
enum Failure {
    Ended(Error),
    Member,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ended(error)
    }
}

/// Judges an answer by the clock, and makes it.
fn answered(world: &World, ctx: &Context, status: StatusCode) -> Response<Full<Bytes>> {
    let id = match world.fault {
        Some(Fault::SharedIdentity) => Id(world.seen.get()),
        _ => *ctx.value().expect("a request's context has its number"),
    };
    world.judge(id.0, ctx, status.as_u16());
    respond(status, id)
}

fn respond(status: StatusCode, Id(id): Id) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(id.to_string()));
    *response.status_mut() = status;
    response
}

/// Works for so many ticks.
async fn work(world: &World, ctx: &Context, ticks: u32) {
    let _guard = world.guard(ctx);
    for _ in 0..ticks {
        world.tick().await;
    }
}

/// Works in the handler.
async fn run(world: &World, ctx: &Context, ticks: u32) -> Result<(), Failure> {
    if world.fault == Some(Fault::LateSuccess) {
        let mut work = pin!(work(world, ctx, ticks));
        let mut done = pin!(ctx.done(|at| world.sleep(at)));
        // The work is asked first, and nothing is asked after it.
        return poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending => done.as_mut().poll(cx).map(|error| Err(error.into())),
        })
        .await;
    }
    Ok(ctx.run(work(world, ctx, ticks), |at| world.sleep(at)).await?)
}

/// A result that one task leaves for another.
#[derive(Default)]
struct Slot {
    result: Cell<Option<Result<(), Error>>>,
    waker: RefCell<Option<Waker>>,
}

/// Works in a task of its own.
async fn spawn(world: &Rc<World>, ctx: &Context, ticks: u32) -> Result<(), Failure> {
    let slot = Rc::new(Slot::default());
    let (there, slot_there, ctx_there) = (world.clone(), slot.clone(), ctx.clone());
    world.spawn("spawned work", async move {
        let result = if there.fault == Some(Fault::DetachedWork) {
            work(&there, &ctx_there, ticks).await;
            Ok(())
        } else {
            ctx_there.run(work(&there, &ctx_there, ticks), |at| there.sleep(at)).await
        };
        slot_there.result.set(Some(result));
        slot_there.waker.take().into_iter().for_each(Waker::wake);
    });
    let result = poll_fn(|cx| {
        let result = slot.result.take();
        if result.is_none() {
            slot.waker.replace(Some(cx.waker().clone()));
        }
        result.map_or(Poll::Pending, Poll::Ready)
    });
    Ok(ctx.run(result, |at| world.sleep(at)).await??)
}

/// Works in a group of two; of an odd number of ticks the second member fails at its end.
async fn group(world: &Rc<World>, ctx: &Context, ticks: u32) -> Result<(), Failure> {
    let group = Group::new(ctx);
    for member in 0..2 {
        let there = world.clone();
        let task = group.task(async move |ctx: Context| {
            ctx.run(work(&there, &ctx, ticks), |at| there.sleep(at)).await.map_err(Cause::from)?;
            if member == 1 && ticks % 2 == 1 { Err(Cause::msg("member")) } else { Ok(()) }
        });
        world.spawn("member", task);
    }
    let joined = group.join().await;
    if let Some(error) = ctx.err() {
        return Err(error.into());
    }
    joined.map_err(|_| Failure::Member)
}

/// Works with a permit.
async fn permit(world: &World, ctx: &Context, ticks: u32) -> Result<(), Failure> {
    let working = async {
        let _permit = world.permits.acquire().await;
        work(world, ctx, ticks).await;
    };
    Ok(ctx.run(working, |at| world.sleep(at)).await?)
}

/// Works, with a callback that runs when the context ends first.
async fn callback(world: &World, ctx: &Context, ticks: u32) -> Result<(), Failure> {
    let ran = Arc::new(AtomicUsize::new(0));
    let count = ran.clone();
    let stop = ctx.after_func(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let stopped = world.callback(ctx, ran);
    if world.fault == Some(Fault::DroppedCallback) {
        let _stop = stop.on_drop();
        return run(world, ctx, ticks).await;
    }
    let result = run(world, ctx, ticks).await;
    stopped.set(stop.stop());
    result
}

/// Reads a body against a timer of its own.
async fn upload(world: &World, ctx: &Context, body: Incoming) -> Response<Full<Bytes>> {
    let mut body = pin!(body.collect());
    let at = ctx.deadline().expect("a request has a deadline");
    let mut timer = pin!(world.sleep(at));
    let status = poll_fn(|cx| {
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(StatusCode::REQUEST_TIMEOUT);
        }
        body.as_mut().poll(cx).map(|body| if body.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST })
    })
    .await;
    answered(world, ctx, status)
}
