//! One connection: its context, the watch over its client and its clock, and its end.

use std::future::{pending, poll_fn};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use census::Connection;
use contract::{Clock, Closing, Overdue, Reason, Refusal, answer, limits, wire};
use ctx::Cancel;

use async_std::channel::Sender;
use async_std::net::TcpStream;
use futures_lite::{AsyncReadExt, future};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use socket2::SockRef;

use crate::conn::{Conn, End};
use crate::socket::Socket;
use crate::{Server, handler, streams, until};

/// Serves one connection until it ends.
pub(crate) async fn serve(server: Arc<Server>, stream: TcpStream, _counted: Connection, alive: Sender<()>) {
    let _ = stream.set_nodelay(true);
    match exchange(server, &stream, &alive).await {
        End::Close(Closing::AtOnce) => {}
        End::Close(Closing::Linger) => linger(&stream).await,
        End::Close(Closing::Reset) => drop(SockRef::from(&stream).set_linger(Some(Duration::ZERO))),
        End::Refuse(refusal) => refuse(&stream, &refusal).await,
    }
}

/// Answers requests until the client leaves, patience ends, or the server stops.
async fn exchange(server: Arc<Server>, stream: &TcpStream, alive: &Sender<()>) -> End {
    let (ctx, cancel) = server.base.with_cancel();
    let cancel = Arc::new(cancel);
    let clock = Clock::start(&server.settings, Instant::now());
    let stopping = server.stopping.clone();
    let conn = Arc::new(Conn { server, ctx, clock, slot: None });
    let mut socket = Socket { stream: stream.clone(), conn: conn.clone(), ahead: Vec::new() };
    // async-std: the watch over hangups cancels, so the connection only has to be on its list.
    let Ok(_hangup) = conn.server.hangups.add(stream, &conn.server.settings, &cancel) else {
        return conn.over();
    };
    let mut overdue = pin!(overdue(&conn.clock));
    let mut stopped = pin!(stopping.done(until));
    // Until a preface is whole, its bytes are those of a head that is not.
    let spoken = async { Some(socket.speaks_http2().await) };
    let late = async {
        overdue.as_mut().await;
        None
    };
    let stopping = async {
        stopped.as_mut().await;
        None
    };
    let spoken = future::or(spoken, future::or(late, stopping)).await;
    let Some(speaks_http2) = spoken else { return conn.over() };
    if speaks_http2 {
        return Box::pin(streams::serve(&conn, socket, &cancel, alive)).await;
    }
    over_http1(&conn, socket, &cancel, overdue, stopped).await
}

/// Answers requests over HTTP/1.1 until the connection ends.
async fn over_http1(
    conn: &Arc<Conn>,
    socket: Socket,
    cancel: &Cancel,
    mut overdue: Pin<&mut impl Future<Output = Overdue>>,
    mut stopped: Pin<&mut impl Future>,
) -> End {
    // Half-closed connections are hyper's to serve: whether the client has left is judged here, by `gone`.
    let http = http1::Builder::new()
        .half_close(true)
        .max_buf_size(limits::HEAD)
        .serve_connection(socket, service_fn(|request| handler::handle(conn, request)));
    let mut http = pin!(http);
    let mut gone = pin!(gone(conn));
    let mut draining = false;
    loop {
        // hyper is polled first, so that an answer that is ready leaves before the client's leaving is looked at.
        let ended = async {
            let ended = http.as_mut().await;
            if conn.clock.is_busy() {
                cancel.cancel_cause(Reason::Disconnect);
            }
            Some(ended_by(ended, conn))
        };
        let gone = async {
            gone.as_mut().await;
            Some(conn.over())
        };
        let overdue = async {
            Some(match overdue.as_mut().await {
                Overdue::Write => {
                    cancel.cancel_cause(Reason::Disconnect);
                    End::Close(Closing::Reset)
                }
                Overdue::Header | Overdue::Idle | Overdue::Stream => conn.over(),
            })
        };
        let stopped = async {
            if draining {
                pending::<()>().await;
            }
            stopped.as_mut().await;
            None
        };
        if let Some(end) = future::or(ended, future::or(gone, future::or(overdue, stopped))).await {
            return end;
        }
        if !conn.clock.is_busy() {
            return conn.over();
        }
        draining = true;
        http.as_mut().graceful_shutdown();
    }
}

/// Returns the ending of a connection that hyper is done with.
fn ended_by(ended: hyper::Result<()>, conn: &Conn) -> End {
    match ended {
        Err(error) if error.is_parse() && conn.clock.owes_nothing() => {
            End::Refuse(if error.is_parse_too_large() {
                conn.clock.too_large()
            } else {
                Refusal::Malformed("malformed request head")
            })
        }
        _ => conn.over(),
    }
}

/// Waits until the client of a running request has left, as far as the server's settings care.
pub(crate) async fn gone(conn: &Conn) {
    let mut left = pin!(conn.ctx.done(until));
    poll_fn(|cx| if conn.clock.is_busy() { left.as_mut().poll(cx).map(drop) } else { Poll::Pending }).await;
    if Reason::of(&conn.ctx) != Some(Reason::Disconnect) {
        pending().await
    }
}

/// Waits until the connection has stayed too long in the phase it is in.
///
/// It is polled after every step of the connection, and arms its timer anew only when patience ends sooner than the
/// timer fires: a request that is served in time costs no timer.
pub(crate) async fn overdue(clock: &Clock) -> Overdue {
    // async-std: a `timer` cannot be set anew, so a new one takes its place.
    let mut timer = Box::pin(until(Instant::now()));
    let mut armed = None;
    poll_fn(|cx| {
        loop {
            let Some(deadline) = clock.deadline() else { return Poll::Pending };
            if armed.is_none_or(|armed| deadline < armed) {
                timer.set(until(deadline));
                armed = Some(deadline);
            }
            ready!(timer.as_mut().poll(cx));
            armed = None;
            if let Some(overdue) = clock.overdue(Instant::now()) {
                return Poll::Ready(overdue);
            }
        }
    })
    .await
}

/// Closes a connection so that the close does not destroy an answer on its way: says that nothing more comes, then
/// reads what the client still sends, for a moment.
async fn linger(stream: &TcpStream) {
    let _ = SockRef::from(stream).shutdown(Shutdown::Write);
    let closed = Instant::now() + limits::LINGER;
    let mut unread = vec![0; 4096];
    let drained = async {
        let mut stream = stream.clone();
        while stream.read(&mut unread).await.is_ok_and(|read| read > 0) && Instant::now() < closed {}
    };
    let late = async {
        until(closed).await;
    };
    future::or(drained, late).await;
}

/// Answers what is no request, or a connection over the limit, and closes.
pub(crate) async fn refuse(stream: &TcpStream, refusal: &Refusal) {
    let answer = wire::bytes(&answer::refused(None, refusal), false);
    // A client that takes no more has answers enough to read: it is not waited for.
    let _ = SockRef::from(stream).send(&answer);
    linger(stream).await;
}

/// Turns away a connection over the limit.
pub(crate) async fn turn_away(stream: TcpStream) {
    refuse(&stream, &Refusal::Busy).await;
}
