//! One connection: its context, the watch over its client and its clock, and its end.

use std::future::{pending, poll_fn};
use std::io;
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use census::Connection;
use contract::{Clock, Closing, OnDisconnect, Overdue, Reason, Refusal, answer, limits, wire};
use ctx::Cancel;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::{select, time};

// tokio: `select!` races its branches in place, where the others race futures that they name.
use crate::conn::{Conn, End};
use crate::socket::Socket;
use crate::{Server, handler, streams, until};

/// Serves one connection until it ends.
pub(crate) async fn serve(
    server: Arc<Server>,
    mut stream: TcpStream,
    _counted: Connection,
    alive: mpsc::Sender<()>,
) {
    let _ = stream.set_nodelay(true);
    // tokio: the `stream` is split, which takes it whole.
    match exchange(server, &mut stream, &alive).await {
        End::Close(Closing::AtOnce) => {}
        End::Close(Closing::Linger) => linger(&stream).await,
        End::Close(Closing::Reset) => drop(SockRef::from(&stream).set_linger(Some(Duration::ZERO))),
        End::Refuse(refusal) => refuse(&stream, &refusal).await,
    }
}

/// Answers requests until the client leaves, patience ends, or the server stops.
async fn exchange(server: Arc<Server>, stream: &mut TcpStream, alive: &mpsc::Sender<()>) -> End {
    let (ctx, cancel) = server.base.with_cancel();
    let cancel = Arc::new(cancel);
    let clock = Clock::start(&server.settings, Instant::now());
    let stopping = server.stopping.clone();
    let conn = Arc::new(Conn { server, ctx, clock, slot: None });
    // tokio: the `stream` is split: hyper reads from one half, as `TokioIo`, and the rest is shared with the watch over the
    // client.
    let (read, shared) = stream.split();
    let stream = shared.as_ref();
    let mut socket = Socket { read, stream, conn: conn.clone(), ahead: Vec::new() };
    let mut overdue = pin!(overdue(&conn.clock));
    let mut stopped = pin!(stopping.done(until));
    // Until a preface is whole, its bytes are those of a head that is not.
    let speaks_http2 = select! {
        biased;
        speaks_http2 = socket.speaks_http2() => speaks_http2,
        _ = overdue.as_mut() => return conn.over(),
        _ = stopped.as_mut() => return conn.over(),
    };
    if speaks_http2 {
        return Box::pin(streams::serve(&conn, socket, &cancel, alive)).await;
    }
    over_http1(&conn, socket, stream, &cancel, overdue, stopped).await
}

// tokio: another body, because hyper reads as `TokioIo`, and the watch over the client shares the `stream`.
/// Answers requests over HTTP/1.1 until the connection ends.
async fn over_http1(
    conn: &Arc<Conn>,
    socket: Socket<'_>,
    stream: &TcpStream,
    cancel: &Cancel,
    mut overdue: Pin<&mut impl Future<Output = Overdue>>,
    mut stopped: Pin<&mut impl Future>,
) -> End {
    // Half-closed connections are hyper's to serve: whether the client has left is judged here, by `gone`.
    let http = http1::Builder::new()
        .half_close(true)
        .max_buf_size(limits::HEAD)
        .serve_connection(TokioIo::new(socket), service_fn(|request| handler::handle(conn, request)));
    let mut http = pin!(http);
    let mut gone = pin!(gone(conn, stream));
    let mut draining = false;
    loop {
        // hyper is polled first, so that an answer that is ready leaves before the client's leaving is looked at.
        select! {
            biased;
            ended = http.as_mut() => {
                if conn.clock.is_busy() {
                    cancel.cancel_cause(Reason::Disconnect);
                }
                return ended_by(ended, conn);
            }
            () = gone.as_mut() => {
                cancel.cancel_cause(Reason::Disconnect);
                return conn.over();
            }
            overdue = overdue.as_mut() => match overdue {
                Overdue::Write => {
                    cancel.cancel_cause(Reason::Disconnect);
                    return End::Close(Closing::Reset);
                }
                Overdue::Header | Overdue::Idle | Overdue::Stream => return conn.over(),
            },
            _ = stopped.as_mut(), if !draining => {
                if !conn.clock.is_busy() {
                    return conn.over();
                }
                draining = true;
                http.as_mut().graceful_shutdown();
            }
        }
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

// tokio: another body, because its streams tell by themselves that a client has left.
/// Waits until the client of a running request has left, as far as the server's settings care.
pub(crate) async fn gone(conn: &Conn, stream: &TcpStream) {
    let sign = match conn.server.settings.on_disconnect {
        // PRIORITY is asked for because readiness for it includes the closed read side, whatever lies unread.
        OnDisconnect::Cancel => Interest::PRIORITY,
        OnDisconnect::Serve => Interest::ERROR,
        OnDisconnect::Detach => return pending().await,
    };
    let mut left = pin!(stream.ready(sign));
    poll_fn(|cx| if conn.clock.is_busy() { left.as_mut().poll(cx).map(drop) } else { Poll::Pending }).await;
}

/// Waits until the connection has stayed too long in the phase it is in.
///
/// It is polled after every step of the connection, and arms its timer anew only when patience ends sooner than the
/// timer fires: a request that is served in time costs no timer.
pub(crate) async fn overdue(clock: &Clock) -> Overdue {
    // tokio: a `timer` is set anew in its place, to an instant of the runtime's own.
    let mut timer = pin!(until(Instant::now()));
    let mut armed = None;
    poll_fn(|cx| {
        loop {
            let Some(deadline) = clock.deadline() else { return Poll::Pending };
            if armed.is_none_or(|armed| deadline < armed) {
                timer.as_mut().reset(deadline.into());
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
    // tokio: a shared stream is read by trying, and its `time` is bounded.
    let drained = async {
        while stream.readable().await.is_ok() && Instant::now() < closed {
            match stream.try_read(&mut unread) {
                Ok(0) => return,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
    };
    let _ = time::timeout_at(closed.into(), drained).await;
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
