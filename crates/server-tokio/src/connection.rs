//! One connection: its context, the watch over its client and its clock, and its end.

use std::future::poll_fn;
use std::net::Shutdown;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use census::Connection;
use contract::{Clock, OnDisconnect, Overdue, Reason, Refusal, answer, limits, wire};
use ctx::Context;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::{select, time};

use crate::socket::Socket;
use crate::{Server, handler, until};

/// What a connection's handler, its socket and its watch share.
pub(crate) struct Conn {
    pub(crate) server: Arc<Server>,
    /// The parent of every request's context; canceled with cause `disconnect` when the client leaves.
    pub(crate) ctx: Context,
    pub(crate) clock: Clock,
}

/// How a connection ends.
enum End {
    /// The last answer is out, or nothing is owed: close it.
    Close,
    /// A response that cannot be delivered is under way: reset it.
    Reset,
}

/// Serves one connection until it ends.
pub(crate) async fn serve(
    server: Arc<Server>,
    stream: TcpStream,
    _counted: Connection,
    _alive: mpsc::Sender<()>,
) {
    let stream = Arc::new(stream);
    let _ = stream.set_nodelay(true);
    match exchange(server, &stream).await {
        End::Close => linger(&stream).await,
        End::Reset => drop(SockRef::from(&*stream).set_linger(Some(Duration::ZERO))),
    }
}

/// Answers requests until the client leaves, patience ends, or the server stops.
async fn exchange(server: Arc<Server>, stream: &Arc<TcpStream>) -> End {
    let (ctx, cancel) = server.base.with_cancel();
    let clock = Clock::start(&server.settings, Instant::now());
    let stopping = server.stopping.clone();
    let conn = Arc::new(Conn { server, ctx, clock });
    let socket = Socket { stream: stream.clone(), conn: conn.clone() };
    // Half-closed connections are hyper's to serve: whether the client has left is judged here, by `gone`.
    let http = http1::Builder::new()
        .half_close(true)
        .max_buf_size(limits::HEAD)
        .max_headers(limits::HEADERS)
        .serve_connection(TokioIo::new(socket), service_fn(|request| handler::handle(&conn, request)));
    let mut http = pin!(http);
    let mut gone = pin!(gone(&conn, stream));
    let mut overdue = pin!(overdue(&conn.clock));
    let mut stopped = pin!(stopping.done(until));
    let mut draining = false;
    loop {
        // hyper is polled first, so that an answer that is ready leaves before the client's leaving is looked at.
        select! {
            biased;
            _ = http.as_mut() => return End::Close,
            () = gone.as_mut() => {
                cancel.cancel_cause(Reason::Disconnect);
                return End::Reset;
            }
            overdue = overdue.as_mut() => match overdue {
                Overdue::Write => {
                    cancel.cancel_cause(Reason::Disconnect);
                    return End::Reset;
                }
                Overdue::Header | Overdue::Idle | Overdue::Stream => return End::Close,
            },
            _ = stopped.as_mut(), if !draining => {
                if !conn.clock.is_busy() {
                    return End::Close;
                }
                draining = true;
                http.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Waits until the client of a running request has left, as far as the server's settings care.
async fn gone(conn: &Conn, stream: &TcpStream) {
    let sign = match conn.server.settings.on_disconnect {
        // tokio: PRIORITY is asked for because readiness for it includes the closed read side, whatever lies unread.
        OnDisconnect::Cancel => Interest::PRIORITY,
        OnDisconnect::Serve => Interest::ERROR,
        OnDisconnect::Detach => return std::future::pending().await,
    };
    let mut left = pin!(stream.ready(sign));
    poll_fn(|cx| if conn.clock.is_busy() { left.as_mut().poll(cx).map(drop) } else { Poll::Pending }).await;
}

/// Waits until the connection has stayed too long in the phase it is in.
///
/// It is polled after every step of the connection, and arms its timer anew only when patience ends sooner than the
/// timer fires: a request that is served in time costs no timer.
async fn overdue(clock: &Clock) -> Overdue {
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
    let mut unread = [0; 4096];
    let drained = async {
        loop {
            match stream.try_read(&mut unread) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if stream.readable().await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    };
    let _ = time::timeout(limits::LINGER, drained).await;
}

/// Turns away a connection over the limit with a 503.
pub(crate) async fn refuse(stream: TcpStream) {
    let answer = wire::bytes(&answer::refused(None, &Refusal::Busy), false);
    if stream.writable().await.is_ok() && stream.try_write(&answer).is_ok() {
        linger(&stream).await;
    }
}
