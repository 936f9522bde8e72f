//! tokio's tasks, timers and sockets.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use drop_at_await::Report;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, interval_at};

use super::of;
use crate::case::Case;
use crate::case::Claim::{Nothing, Safe};
use crate::case::Invariant::{Items, State};
use crate::tools::{check, in_tokio, receives_in_task, until_it_waits};

pub(super) fn cases() -> Vec<Case> {
    vec![
        of("tokio", "&mut task::JoinHandle", "tokio/task/struct.JoinHandle.html#cancel-safety")
            .says(Safe, "tokio/src/runtime/task/join.rs", "pub struct JoinHandle<T>")
            .moving("1 result", Items)
            .keeps(join_handle),
        of("tokio", "task::JoinSet::join_next", "tokio/task/struct.JoinSet.html#method.join_next")
            .says(Safe, "tokio/src/task/join_set.rs", "pub async fn join_next(")
            .moving("3 results", Items)
            .keeps(join_next),
        of("tokio", "task::JoinSet::shutdown", "tokio/task/struct.JoinSet.html#method.shutdown")
            .says(Nothing, "tokio/src/task/join_set.rs", "pub async fn shutdown(")
            .moving("3 tasks", State)
            .keeps(shutdown),
        of("tokio", "time::Interval::tick", "tokio/time/struct.Interval.html#method.tick")
            .says(Safe, "tokio/src/time/interval.rs", "pub async fn tick(")
            .moving("3 ticks", Items)
            .keeps(tick),
        of("tokio", "net::TcpListener::accept", "tokio/net/struct.TcpListener.html#method.accept")
            .says(Safe, "tokio/src/net/tcp/listener.rs", "pub async fn accept(")
            .moving("3 connections", Items)
            .keeps(accept),
        of("tokio", "net::UdpSocket::recv_from", "tokio/net/struct.UdpSocket.html#method.recv_from")
            .says(Safe, "tokio/src/net/udp.rs", "pub async fn recv_from(")
            .moving("3 datagrams", Items)
            .keeps(recv_from),
    ]
}

fn join_handle() -> Report {
    in_tokio(async |run| {
        let mut handle = tokio::spawn(async {
            yield_now().await;
            7
        });
        let outcome = run.retry(async || (&mut handle).await.ok(), |_| false).await;
        check(outcome.completed() == Some(Some(7)), "the result")
    })
}

fn join_next() -> Report {
    in_tokio(async |run| {
        let mut set = JoinSet::new();
        let mut senders = Vec::new();
        for item in (0..3).rev() {
            let (sender, receiver) = oneshot::channel::<()>();
            senders.push(sender);
            set.spawn(async move {
                drop(receiver.await);
                item
            });
        }
        let receive = async || set.join_next().await.and_then(Result::ok);
        receives_in_task(run, receive, |_| senders.pop().is_some()).await
    })
}

fn shutdown() -> Report {
    in_tokio(async |run| {
        let mut set = JoinSet::new();
        for _ in 0..3 {
            set.spawn(std::future::pending::<()>());
        }
        let outcome = run.retry(async || set.shutdown().await, |_| false).await;
        check(outcome.completed().is_some() && set.is_empty(), "the end of a task")
    })
}

fn tick() -> Report {
    until_it_waits(|| {
        in_tokio(async |run| {
            let period = Duration::from_millis(5);
            let start = Instant::now() + period;
            let mut interval = interval_at(start, period);
            let mut ticks = Vec::new();
            while ticks.len() < 3 {
                let tick = run.retry(async || interval.tick().await, |_| false).await;
                let Some(tick) = tick.completed() else { break };
                ticks.push(tick);
            }
            // A tick that comes late is still the tick of its time.
            let expected: Vec<_> = (0..3).map(|n| start + period * n).collect();
            check(ticks == expected, "a tick")
        })
    })
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn accept() -> Report {
    in_tokio(async |run| {
        let listener = TcpListener::bind(loopback()).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let mut clients = Vec::new();
        let receive = async || {
            let (_stream, client) = listener.accept().await.ok()?;
            Some(client.port())
        };
        let (mut ports, mut arrived) = (Vec::new(), Vec::new());
        while arrived.len() < 3 {
            let peer = |_| {
                let client = (clients.len() < 3).then(|| TcpStream::connect(address).ok()).flatten();
                ports.extend(client.as_ref().and_then(|client| client.local_addr().ok()).map(|at| at.port()));
                let connected = client.is_some();
                clients.extend(client);
                connected
            };
            let Some(Some(port)) = run.retry(receive, peer).await.completed() else { break };
            arrived.push(port);
        }
        check(arrived.len() == 3 && arrived == ports, "a connection")
    })
}

fn recv_from() -> Report {
    in_tokio(async |run| {
        let socket = UdpSocket::bind(loopback()).await.expect("loopback has a free port");
        let address = socket.local_addr().expect("a bound socket has an address");
        let client = std::net::UdpSocket::bind(loopback()).expect("loopback has a free port");
        let receive = async || {
            let mut buf = [0; 4];
            let (count, _) = socket.recv_from(&mut buf).await.ok()?;
            (count == 4).then(|| u32::from_be_bytes(buf))
        };
        receives_in_task(run, receive, |item| client.send_to(&item.to_be_bytes(), address).is_ok()).await
    })
}
