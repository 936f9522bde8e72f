//! One request: read, run under its context, answered.

use std::convert::Infallible;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use census::{Request as Counted, Scope, Work};
use contract::{
    Answer, BodyUse, Call, Endpoint, Failure, Fanout, Identity, OnDisconnect, Reason, Refusal, Slow, Stream,
    answer, limits, outcome,
};
use ctx::{Cancel, Context};

use async_std::task;
use bytes::Bytes;
use futures_lite::{FutureExt, future, stream};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::{Body as _, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::Incoming;

use crate::conn::Conn;
use crate::{Server, outside, until, work};

/// The body of an answer: whole, or streamed.
pub(crate) type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, Reason>>;

/// Answers one request; whatever happens, there is an answer.
pub(crate) async fn handle(
    conn: &Arc<Conn>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let now = Instant::now();
    let (read_by, target) = conn.clock.busy(now);
    let (head, body) = request.into_parts();
    let mut upload = Upload::of(conn, body, head.version, read_by);
    let census = &conn.server.census;
    let call = match target.and_then(|()| Call::read(&head, || census.make_id())) {
        Ok(call) => call,
        Err(refusal) => {
            let identity = Identity::read(&head.headers, || census.make_id()).ok();
            let answer = answer::refused(identity.as_ref(), &refusal);
            return Ok(done(conn, conn.counted(&conn.ctx, &Identity::default()), answer, &upload));
        }
    };
    let (is_get, endless) = (head.method == Method::GET, head.version == Version::HTTP_10);
    // What is no longer needed is given back before the work begins: a request may take long.
    drop(head);
    let deadline = conn.server.settings.deadline(now, call.budget);
    let scope = conn.ctx.with_value(census.scope(call.identity));
    // The twin that measures the cost of a deadline: see Cargo.toml.
    let twin = cfg!(feature = "no-deadline");
    let (ctx, cancel) = if twin { scope.with_cancel() } else { scope.with_deadline(deadline) };
    let identity = identity(&ctx);
    let counted = conn.counted(&ctx, identity);
    if let (Endpoint::Stream(params), true, Ok(())) = (&call.endpoint, is_get, outcome::live(&ctx)) {
        return Ok(streamed(conn, &ctx, cancel, counted, params, endless));
    }
    let running = answered(&conn.server, &ctx, &counted, &call.endpoint, &mut upload);
    let answer = match AssertUnwindSafe(running).catch_unwind().await {
        Ok(Ok(answer)) => answer,
        // Nobody is left to answer, and the connection is about to drop this future.
        Ok(Err(Failure::Ended(Reason::Disconnect))) => pending().await,
        Ok(Err(failure)) => answer::failed(identity, &failure),
        Err(_) => answer::panicked(identity),
    };
    Ok(done(conn, counted, answer, &upload))
}

/// Runs the endpoint of a request.
async fn answered(
    server: &Server,
    ctx: &Context,
    counted: &Counted,
    endpoint: &Endpoint,
    upload: &mut Upload,
) -> Result<Answer, Failure> {
    match endpoint {
        Endpoint::Fast | Endpoint::Upload => outcome::timely(ctx)?,
        _ => outcome::live(ctx)?,
    }
    let identity = identity(ctx);
    match endpoint {
        Endpoint::Fast => Ok(answer::fast(identity)),
        Endpoint::Slow(params) => slow(server, ctx, counted, params, upload).await,
        Endpoint::Values => values(ctx).await,
        Endpoint::Upload => Ok(answer::upload(identity, upload.read(ctx).await?)),
        Endpoint::Stream(_) => {
            Ok(answer::stream(identity).body(String::new()).expect("its head is well formed"))
        }
        Endpoint::Fanout(params) => fanout(ctx, counted, params).await,
        Endpoint::Panic(params) => {
            let _taken = outside::take(server, ctx, &counted.job(), params).await?;
            let _work = counted.job().start();
            panic!("asked to panic by request {}", identity.request_id)
        }
    }
}

/// `/slow`: reads the body, does the work, and asks when it ended.
async fn slow(
    server: &Server,
    ctx: &Context,
    counted: &Counted,
    params: &Slow,
    upload: &mut Upload,
) -> Result<Answer, Failure> {
    match params.body {
        BodyUse::Read => drop(upload.read(ctx).await?),
        BodyUse::Ignore => {}
        BodyUse::Drop => upload.body = None,
    }
    let worked = work::run(server, ctx, counted.job(), params).await?;
    Ok(answer::slow(identity(ctx), worked.in_time(ctx)?))
}

/// `/values`: what the context carries, as seen from a task spawned for the purpose.
async fn values(ctx: &Context) -> Result<Answer, Failure> {
    let inside = ctx.clone();
    let task = task::spawn(async move { inside.value::<Scope>().map(|scope| Identity::clone(scope)) });
    let found = task.await;
    Ok(answer::values(identity(ctx), found.as_ref()))
}

/// `/fanout`: a group of children that cannot outlive it; the first failure cancels the others.
async fn fanout(ctx: &Context, counted: &Counted, params: &Fanout) -> Result<Answer, Failure> {
    let (group, cancel) = ctx.with_cancel();
    let cancel = Arc::new(cancel);
    let mut children = Vec::new();
    for number in 0..params.width {
        let (group, cancel) = (group.clone(), cancel.clone());
        let (job, params) = (counted.job(), params.clone());
        children.push(task::spawn(async move {
            let (child, _guard) = group.with_cancel();
            work::child(&child, job, &params, number).await.inspect_err(|_| cancel.cancel())
        }));
    }
    let mut ended = Vec::new();
    for child in children {
        ended.push(child.await);
    }
    outcome::group(ended)?;
    Ok(answer::fanout(identity(ctx), params.width))
}

/// `/stream`: a chunk at each tick, until the deadline truncates it.
fn streamed(
    conn: &Arc<Conn>,
    ctx: &Context,
    cancel: Cancel,
    mut counted: Counted,
    params: &Stream,
    endless: bool,
) -> Response<Body> {
    conn.clock.streaming(ctx.deadline(), endless);
    counted.streams(StatusCode::OK);
    let work = counted.job().start();
    let ticks = params.ticks().from(Instant::now());
    let flow = Flow { conn: conn.clone(), ctx: ctx.clone(), _cancel: cancel, counted, work };
    let chunks = stream::unfold((flow, (0..).zip(ticks)), |(mut flow, mut ticks)| async move {
        let Some((number, end)) = ticks.next() else {
            flow.finish();
            return None;
        };
        let chunk = flow.chunk(number, end).await;
        Some((chunk, (flow, ticks)))
    });
    let body = StreamBody::new(chunks).boxed_unsync();
    answer::stream(identity(ctx)).body(Either::Right(body)).expect("its head is well formed")
}

/// A `/stream` under way.
struct Flow {
    conn: Arc<Conn>,
    ctx: Context,
    _cancel: Cancel,
    counted: Counted,
    work: Work,
}

impl Flow {
    async fn chunk(&mut self, number: u32, end: Instant) -> Result<Frame<Bytes>, Reason> {
        let ended = async {
            self.ctx.done(until).await;
            Err(Reason::why(&self.ctx))
        };
        let due = async {
            until(end).await;
            Ok(())
        };
        future::or(ended, due).await?;
        self.work.beat();
        Ok(Frame::data(answer::chunk(number).into()))
    }

    fn finish(mut self) {
        self.counted.completed();
        self.work.completed();
        self.conn.clock.idle(Instant::now());
    }
}

/// The request's body, read under its deadline or left alone.
struct Upload {
    body: Option<Incoming>,
    version: Version,
    read_by: Instant,
    on_disconnect: OnDisconnect,
    /// True when the body was read to its end.
    whole: bool,
}

impl Upload {
    fn of(conn: &Conn, body: Incoming, version: Version, read_by: Instant) -> Self {
        let whole = body.is_end_stream();
        let on_disconnect = conn.server.settings.on_disconnect;
        Self { body: Some(body), version, read_by, on_disconnect, whole }
    }

    /// Reads the body to its end and returns its size.
    async fn read(&mut self, ctx: &Context) -> Result<usize, Failure> {
        let Some(body) = self.body.as_mut().filter(|_| !self.whole) else { return Ok(0) };
        let mut expired = pin!(ctx.done(until));
        let mut late = pin!(until(self.read_by));
        let mut bytes = 0;
        loop {
            let frame = async { Ok(body.frame().await) };
            let ended = async {
                expired.as_mut().await;
                Err(Failure::from(Reason::why(ctx)))
            };
            let late = async {
                late.as_mut().await;
                Err(Refusal::ReadTimeout.into())
            };
            let frame = future::or(frame, future::or(ended, late)).await?;
            match frame {
                None => break,
                Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, Bytes::len),
                Some(Err(error)) => {
                    if let Some(refusal) = outcome::broken_body(&error, self.version, self.on_disconnect) {
                        return Err(refusal.into());
                    }
                    expired.as_mut().await;
                    return Err(Reason::why(ctx).into());
                }
            }
            if bytes > limits::BODY {
                return Err(Refusal::BodyTooLarge.into());
            }
        }
        self.whole = true;
        // A body whose last byte came after the deadline came too late, however soon the timer notices.
        outcome::timely(ctx)?;
        Ok(bytes)
    }
}

/// Ends a request: counts its answer, and closes behind it when some of the request is left unread.
fn done(conn: &Conn, mut counted: Counted, answer: Answer, upload: &Upload) -> Response<Body> {
    let answer = if upload.whole { answer } else { answer::closing(answer) };
    counted.answered(answer.status());
    conn.clock.idle(Instant::now());
    answer.map(|text| Either::Left(Full::from(text)))
}

/// The identity that a request's context carries.
pub(crate) fn identity(ctx: &Context) -> &Identity {
    ctx.value::<Scope>().expect("a request's context carries its scope")
}
