//! The streams of one HTTP/2 connection, each a request with a context, a clock and a slot of its own.
//!
// smol: only here, because the threads speak HTTP/1 alone.

use std::convert::Infallible;
use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll, ready};
use std::time::Instant;

use contract::{Clock, Closing, Identity, OnDisconnect, Overdue, Reason, Refusal, Slots, answer, limits};
use ctx::Cancel;

use bytes::Bytes;
use futures_lite::future;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use smol::channel::{self, Receiver, Sender};

use crate::conn::{Conn, End};
use crate::handler::{self, Body};
use crate::socket::Socket;
use crate::{EXECUTOR, connection, until};

/// Serves the streams of a connection until its client leaves, patience ends, or the server stops.
pub(crate) async fn serve(conn: &Arc<Conn>, socket: Socket, cancel: &Arc<Cancel>, alive: &Sender<()>) -> End {
    let (held, (emptied, closed)) = ((cancel.clone(), alive.clone()), channel::bounded(1));
    let streams =
        Streams { conn: conn.clone(), held, slots: Slots::default(), emptied, opened: Arc::default() };
    let http = http2::Builder::new(streams.clone())
        .max_concurrent_streams(limits::STREAMS)
        .max_header_list_size(limits::HEAD as u32)
        .serve_connection(socket, service_fn(|request| streams.open(request)));
    let mut http = pin!(http);
    let mut gone = pin!(connection::gone(conn));
    let mut late = pin!(expiry(&conn.clock, &closed));
    let mut stopped = pin!(conn.server.stopping.done(until));
    let mut parting = false;
    let end = loop {
        // hyper is polled first, so that an answer that is ready leaves before the client's leaving is looked at.
        let ended = async {
            let _ = http.as_mut().await;
            Some(conn.over())
        };
        let gone = async {
            gone.as_mut().await;
            Some(conn.over())
        };
        let overdue = async {
            match late.as_mut().await {
                Overdue::Write => Some(End::Close(Closing::Reset)),
                _ if parting => Some(conn.over()),
                _ => None,
            }
        };
        let stopped = async {
            if parting {
                pending::<()>().await;
            }
            stopped.as_mut().await;
            None
        };
        if let Some(end) = future::or(ended, future::or(gone, future::or(overdue, stopped))).await {
            break end;
        }
        parting = true;
        conn.clock.parting(Instant::now());
        late.set(expiry(&conn.clock, &closed));
        http.as_mut().graceful_shutdown();
    };
    if conn.server.settings.on_disconnect != OnDisconnect::Detach {
        cancel.cancel_cause(Reason::Disconnect);
    }
    end
}

/// Waits until a connection has stayed too long in the phase it is in, in which the end of its last stream begins another.
async fn expiry(clock: &Clock, emptied: &Receiver<()>) -> Overdue {
    loop {
        let overdue = async { Some(connection::overdue(clock).await) };
        let emptied = async {
            let _ = emptied.recv().await;
            None
        };
        if let Some(overdue) = future::or(overdue, emptied).await {
            return overdue;
        }
    }
}

/// The streams of a connection, as hyper opens them and has their tasks run.
#[derive(Clone)]
struct Streams {
    conn: Arc<Conn>,
    /// Handles of work that may outlast its connection: the connection's own context, and the server.
    held: (Arc<Cancel>, Sender<()>),
    slots: Slots,
    /// Told each time that the last open stream is over.
    emptied: Sender<()>,
    /// The stream that was opened last, until its task is run: hyper does the one right behind the other.
    opened: Arc<Mutex<Option<Opened>>>,
}

/// A stream whose task is not run yet.
struct Opened {
    stream: Arc<Conn>,
    cancel: Arc<Cancel>,
}

impl Streams {
    /// Opens a stream for `request`, with a context of its own, and gives its answer: 503 while the work of earlier streams
    /// holds every slot, whether those were reset or not.
    fn open(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Paced>, Infallible>> + Send + use<> {
        let server = self.conn.server.clone();
        let (ctx, cancel) = self.conn.ctx.with_cancel();
        let clock = Clock::start(&server.settings, Instant::now());
        let slot = self.slots.take(limits::STREAMS).map(Arc::new);
        let stream = Conn { server, ctx, clock, slot: slot.as_ref().map(Arc::downgrade) };
        let (stream, cancel) = (Arc::new(stream), Arc::new(cancel));
        let opened = Opened { stream: stream.clone(), cancel: cancel.clone() };
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
        let held = (cancel, self.held.clone());
        async move {
            let is_head = request.method() == Method::HEAD;
            let response = match (slot, stream.server.settings.on_disconnect) {
                (None, _) => refused(&stream, &request),
                (slot, OnDisconnect::Detach) => detached(stream.clone(), request, (held, slot)).await,
                (_slot, _) => handler::handle(&stream, request).await?,
            };
            let response = if is_head { without_body(response) } else { response };
            Ok(response.map(|body| Paced { body, stream }))
        }
    }
}

impl<T: Future<Output = ()> + Send + 'static> Executor<T> for Streams {
    fn execute(&self, task: T) {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(opened) = opened {
            self.conn.clock.opened();
            // smol: dropping the task would cancel it.
            EXECUTOR.spawn(run(opened, Open(self.clone()), task)).detach();
        }
    }
}

/// An open stream, until it is dropped.
struct Open(Streams);

impl Drop for Open {
    fn drop(&mut self) {
        if self.0.conn.clock.closed(Instant::now()) {
            let _ = self.0.emptied.try_send(());
        }
    }
}

/// Runs the task of a stream until it ends, which it also does when the stream is reset, or until its own clock says so:
/// then hyper's task is dropped, which resets the stream with CANCEL.
async fn run(opened: Opened, _open: Open, task: impl Future<Output = ()>) {
    let Opened { stream, cancel } = opened;
    let mut task = pin!(task);
    let ended = async {
        task.as_mut().await;
        Reason::Disconnect
    };
    let overdue = async {
        match connection::overdue(&stream.clock).await {
            Overdue::Stream => Reason::Deadline,
            _ => Reason::Disconnect,
        }
    };
    let reason = future::or(ended, overdue).await;
    // What is left of the request, if anything, is dropped behind this, and counts as what it ended for.
    if stream.server.settings.on_disconnect != OnDisconnect::Detach {
        cancel.cancel_cause(reason);
    }
}

// smol: another body, because dropping the task would cancel it: it is detached, and its response goes through a channel.
/// Answers a request on a task of its own, which nothing ends that happens to its stream.
async fn detached(
    stream: Arc<Conn>,
    request: Request<Incoming>,
    held: impl Send + 'static,
) -> Response<Body> {
    let (sender, receiver) = channel::bounded(1);
    let answered = async move {
        let _held = held;
        sender.send(handler::handle(&stream, request).await).await
    };
    EXECUTOR.spawn(answered).detach();
    let Ok(response) = receiver.recv().await.expect("a handler answers");
    response
}

/// The answer to a request that no slot is left for.
fn refused(stream: &Conn, request: &Request<Incoming>) -> Response<Body> {
    let census = &stream.server.census;
    let identity = Identity::read(request.headers(), || census.make_id()).ok();
    let answer = answer::refused(identity.as_ref(), &Refusal::Busy);
    stream.counted(&stream.ctx, &Identity::default()).answered(answer.status());
    answer.map(|text| Either::Left(Full::from(text)))
}

/// The same answer as it is given to a HEAD, which hyper gives its body over HTTP/2 too.
fn without_body(mut response: Response<Body>) -> Response<Body> {
    if let Some(length @ 1..) = response.body().size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response.map(|_| Either::Left(Full::default()))
}

/// The body of an answer on its way out: hyper asks for the next frame once the stream's window has room for the last one,
/// and the stream's clock hears how long that takes.
struct Paced {
    body: Body,
    stream: Arc<Conn>,
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.stream.clock.wrote();
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if matches!(frame, Some(Ok(_))) {
            self.stream.clock.blocked(Instant::now());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
