//! One request: read, run under its context, answered.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Instant;
use std::{io, iter, thread};

use census::{Request as Counted, Scope, Work};
use contract::{
    Answer, BodyUse, Call, Endpoint, Failure, Fanout, Identity, OnDisconnect, Reason, Refusal, Slow, Stream,
    answer, limits, outcome,
};
use ctx::{Cancel, Context};

use either::Either;
use http::{Method, Request, Response, StatusCode, Version};

// threads: the `server` goes along, because neither an executor nor a pool is global.
use crate::conn::Conn;
use crate::socket::Incoming;
use crate::{Server, outside, threads, work};

/// The body of an answer: whole, or streamed.
pub(crate) type Body = Either<String, Box<dyn Iterator<Item = Result<String, Reason>>>>;

/// Answers one request; whatever happens, there is an answer.
pub(crate) fn handle(conn: &Arc<Conn>, request: Request<Incoming<'_>>) -> Option<Response<Body>> {
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
            return Some(done(conn, conn.counted(&conn.ctx, &Identity::default()), answer, &upload));
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
        return Some(streamed(conn, &ctx, cancel, counted, params, endless));
    }
    let running = || answered(&conn.server, &ctx, &counted, &call.endpoint, &mut upload);
    let answer = match panic::catch_unwind(AssertUnwindSafe(running)) {
        Ok(Ok(answer)) => answer,
        // threads: nobody drops a thread, so it says itself, instead of `Some` answer, that nobody is left to answer.
        Ok(Err(Failure::Ended(Reason::Disconnect))) => return None,
        Ok(Err(failure)) => answer::failed(identity, &failure),
        Err(_) => answer::panicked(identity),
    };
    Some(done(conn, counted, answer, &upload))
}

/// Runs the endpoint of a request.
fn answered(
    server: &Server,
    ctx: &Context,
    counted: &Counted,
    endpoint: &Endpoint,
    upload: &mut Upload<'_>,
) -> Result<Answer, Failure> {
    match endpoint {
        Endpoint::Fast | Endpoint::Upload => outcome::timely(ctx)?,
        _ => outcome::live(ctx)?,
    }
    let identity = identity(ctx);
    match endpoint {
        Endpoint::Fast => Ok(answer::fast(identity)),
        Endpoint::Slow(params) => slow(server, ctx, counted, params, upload),
        Endpoint::Values => values(server, ctx),
        Endpoint::Upload => Ok(answer::upload(identity, upload.read(ctx)?)),
        Endpoint::Stream(_) => {
            Ok(answer::stream(identity).body(String::new()).expect("its head is well formed"))
        }
        Endpoint::Fanout(params) => fanout(server, ctx, counted, params),
        Endpoint::Panic(params) => {
            let _taken = outside::take(server, ctx, &counted.job(), params)?;
            let _work = counted.job().start();
            panic!("asked to panic by request {}", identity.request_id)
        }
    }
}

/// `/slow`: reads the body, does the work, and asks when it ended.
fn slow(
    server: &Server,
    ctx: &Context,
    counted: &Counted,
    params: &Slow,
    upload: &mut Upload<'_>,
) -> Result<Answer, Failure> {
    match params.body {
        BodyUse::Read => drop(upload.read(ctx)?),
        BodyUse::Ignore => {}
        BodyUse::Drop => upload.body = None,
    }
    let worked = work::run(server, ctx, counted.job(), params)?;
    Ok(answer::slow(identity(ctx), worked.in_time(ctx)?))
}

// threads: a thread stands in for the task.
/// `/values`: what the context carries, as seen from a thread started for the purpose.
fn values(server: &Server, ctx: &Context) -> Result<Answer, Failure> {
    let inside = ctx.clone();
    // threads: the closure `read` is what the `thread` runs.
    let read = move || inside.value::<Scope>().map(|scope| Identity::clone(scope));
    let thread = threads::spawn(&server.workers, "values", read)?;
    let found = thread.join().expect("reading a value does not panic");
    Ok(answer::values(identity(ctx), found.as_ref()))
}

// threads: another body, because a scope of threads joins what it has started.
/// `/fanout`: a group of children that cannot outlive it; the first failure cancels the others.
fn fanout(server: &Server, ctx: &Context, counted: &Counted, params: &Fanout) -> Result<Answer, Failure> {
    let (group, cancel) = ctx.with_cancel();
    let ended = thread::scope(|scope| {
        let mut children = Vec::new();
        for number in 0..params.width {
            let (group, cancel) = (&group, &cancel);
            let job = counted.job();
            let run = move || {
                let (child, _guard) = group.with_cancel();
                work::child(&child, job, params, number).inspect_err(|_| cancel.cancel())
            };
            // A scope waits for those it has started, so they are told when one cannot be.
            let child = threads::spawn_in(scope, &server.workers, "child", run);
            children.push(child.inspect_err(|_| cancel.cancel())?);
        }
        let ended = children.into_iter().map(|child| child.join().expect("a child returns its failure"));
        Ok::<_, Refusal>(ended.collect::<Vec<_>>())
    });
    outcome::group(ended?)?;
    Ok(answer::fanout(identity(ctx), params.width))
}

// threads: another body, because an iterator gives the chunks.
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
    let mut under_way = Some((flow, (0..).zip(ticks)));
    let chunks = iter::from_fn(move || {
        let (mut flow, mut ticks) = under_way.take()?;
        let Some((number, end)) = ticks.next() else {
            flow.finish();
            return None;
        };
        let chunk = flow.chunk(number, end);
        under_way = Some((flow, ticks));
        Some(chunk)
    });
    answer::stream(identity(ctx)).body(Either::Right(Box::new(chunks) as _)).expect("its head is well formed")
}

/// A `/stream` under way.
struct Flow {
    conn: Arc<Conn>,
    ctx: Context,
    // threads: `counted` and `work` are dropped before `_cancel`, because no future is there to be dropped by whoever
    // canceled it.
    counted: Counted,
    work: Work,
    _cancel: Cancel,
}

impl Flow {
    fn chunk(&mut self, number: u32, end: Instant) -> Result<String, Reason> {
        // threads: one call waits for both.
        if self.ctx.wait_until(end).is_some() {
            return Err(Reason::why(&self.ctx));
        }
        self.work.beat();
        // threads: a chunk is text, and no frame of hyper's.
        Ok(answer::chunk(number))
    }

    fn finish(mut self) {
        self.counted.completed();
        self.work.completed();
        self.conn.clock.idle(Instant::now());
    }
}

/// The request's body, read under its deadline or left alone.
struct Upload<'a> {
    body: Option<Incoming<'a>>,
    version: Version,
    read_by: Instant,
    on_disconnect: OnDisconnect,
    /// True when the body was read to its end.
    whole: bool,
}

impl<'a> Upload<'a> {
    fn of(conn: &Conn, body: Incoming<'a>, version: Version, read_by: Instant) -> Self {
        let whole = body.is_end_stream();
        let on_disconnect = conn.server.settings.on_disconnect;
        Self { body: Some(body), version, read_by, on_disconnect, whole }
    }

    // threads: another body, because the wait for a frame ends at a time, and races nothing.
    /// Reads the body to its end and returns its size.
    fn read(&mut self, ctx: &Context) -> Result<usize, Failure> {
        let Some(body) = self.body.as_mut().filter(|_| !self.whole) else { return Ok(0) };
        let late = ctx.deadline().map_or(self.read_by, |deadline| deadline.min(self.read_by));
        let mut bytes = 0;
        loop {
            match body.frame(late) {
                Ok(None) => break,
                Ok(Some(frame)) => bytes += frame,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    outcome::live(ctx)?;
                    return Err(Refusal::ReadTimeout.into());
                }
                Err(error) => {
                    if let Some(refusal) = outcome::broken_body(&error, self.version, self.on_disconnect) {
                        return Err(refusal.into());
                    }
                    ctx.wait();
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
fn done(conn: &Conn, mut counted: Counted, answer: Answer, upload: &Upload<'_>) -> Response<Body> {
    let answer = if upload.whole { answer } else { answer::closing(answer) };
    counted.answered(answer.status());
    conn.clock.idle(Instant::now());
    answer.map(Either::Left)
}

/// The identity that a request's context carries.
pub(crate) fn identity(ctx: &Context) -> &Identity {
    ctx.value::<Scope>().expect("a request's context carries its scope")
}
