//! Channels for any runtime.

use drop_at_await::Report;

use super::of;
use crate::case::Case;
use crate::case::Claim::{NotSafe, Nothing};
use crate::case::Invariant::{Items, Wake};
use crate::tools::{UsedUp, alone, passes_on, receives, sends};

const ONE_BY_ONE: &str = "3 items, capacity 1";
const TWO_RECEIVERS: &str = "2 receivers, 1 item";
const TWO_SENDERS: &str = "2 senders, 1 place";

pub(super) fn cases() -> Vec<Case> {
    [async_channel_cases(), flume_cases(), kanal_cases(), other_cases()].into_iter().flatten().collect()
}

fn async_channel_cases() -> Vec<Case> {
    const FILE: &str = "async-channel/src/lib.rs";
    let receive = || of("async-channel", "Receiver::recv", "async_channel/struct.Receiver.html#method.recv");
    let send = || of("async-channel", "Sender::send", "async_channel/struct.Sender.html#method.send");
    vec![
        receive().says(Nothing, FILE, "pub fn recv(").moving(ONE_BY_ONE, Items).keeps(async_recv),
        receive().says(Nothing, FILE, "pub fn recv(").moving(TWO_RECEIVERS, Wake).keeps(async_recv_behind),
        send()
            .says(Nothing, FILE, "pub fn send(")
            .moving(ONE_BY_ONE, Items)
            .loses("the item given to it", async_send),
        send().says(Nothing, FILE, "pub fn send(").moving(TWO_SENDERS, Wake).keeps(async_send_behind),
    ]
}

fn flume_cases() -> Vec<Case> {
    const FILE: &str = "flume/src/async.rs";
    let receive = || of("flume", "Receiver::recv_async", "flume/struct.Receiver.html#method.recv_async");
    let send = || of("flume", "Sender::send_async", "flume/struct.Sender.html#method.send_async");
    vec![
        receive().says(Nothing, FILE, "pub fn recv_async(").moving(ONE_BY_ONE, Items).keeps(flume_recv),
        receive()
            .says(Nothing, FILE, "pub fn recv_async(")
            .moving("3 items, capacity 0", Items)
            .keeps(flume_recv_rendezvous),
        receive()
            .says(Nothing, FILE, "pub fn recv_async(")
            .moving(TWO_RECEIVERS, Wake)
            .keeps(flume_recv_behind),
        send()
            .says(Nothing, FILE, "pub fn send_async(")
            .moving(ONE_BY_ONE, Items)
            .loses("the item given to it, unless a receiver has fetched it", flume_send),
        send().says(Nothing, FILE, "pub fn send_async(").moving(TWO_SENDERS, Wake).keeps(flume_send_behind),
    ]
}

fn kanal_cases() -> Vec<Case> {
    const FILE: &str = "kanal/src/lib.rs";
    let receive = || of("kanal", "AsyncReceiver::recv", "kanal/struct.AsyncReceiver.html#method.recv");
    let send = || of("kanal", "AsyncSender::send", "kanal/struct.AsyncSender.html#method.send");
    vec![
        receive()
            .says(NotSafe, FILE, "pub fn recv(&'_ self) -> ReceiveFuture")
            .moving(ONE_BY_ONE, Items)
            .loses("the item handed to it", kanal_recv),
        receive()
            .says(NotSafe, FILE, "pub fn recv(&'_ self) -> ReceiveFuture")
            .moving(TWO_RECEIVERS, Wake)
            .loses("the item handed to it, which the next receiver waits for", kanal_recv_behind),
        send()
            .says(Nothing, FILE, "pub fn send(&'_ self, data: T) -> SendFuture")
            .moving(ONE_BY_ONE, Items)
            .loses("the item given to it", kanal_send),
    ]
}

fn other_cases() -> Vec<Case> {
    const BROADCAST: &str = "async-broadcast/src/lib.rs";
    const TACHYONIX: &str = "tachyonix/src/lib.rs";
    vec![
        of("async-broadcast", "Receiver::recv", "async_broadcast/struct.Receiver.html#method.recv")
            .says(Nothing, BROADCAST, "pub fn recv(")
            .moving(ONE_BY_ONE, Items)
            .keeps(broadcast_recv),
        of("async-broadcast", "Sender::broadcast", "async_broadcast/struct.Sender.html#method.broadcast")
            .says(Nothing, BROADCAST, "pub fn broadcast(")
            .moving(ONE_BY_ONE, Items)
            .loses("the item given to it", broadcast_send),
        of("tachyonix", "Receiver::recv", "tachyonix/struct.Receiver.html#method.recv")
            .says(Nothing, TACHYONIX, "pub async fn recv(")
            .moving(ONE_BY_ONE, Items)
            .keeps(tachyonix_recv),
        of("tachyonix", "Sender::send", "tachyonix/struct.Sender.html#method.send")
            .says(Nothing, TACHYONIX, "pub async fn send(")
            .moving(ONE_BY_ONE, Items)
            .loses("the item given to it", tachyonix_send),
        of("tachyonix", "Sender::send", "tachyonix/struct.Sender.html#method.send")
            .says(Nothing, TACHYONIX, "pub async fn send(")
            .moving(TWO_SENDERS, Wake)
            .keeps(tachyonix_send_behind),
    ]
}

fn async_recv() -> Report {
    alone(|run| {
        let (sender, receiver) = async_channel::bounded(1);
        receives(run, async || receiver.recv().await.ok(), |item| sender.try_send(item).is_ok())
    })
}

fn async_recv_behind() -> Report {
    alone(|run| {
        let (sender, receiver) = async_channel::bounded(2);
        passes_on(run, receiver.recv(), receiver.recv(), UsedUp::ByCompletion, || {
            assert!(sender.try_send(0).is_ok())
        })
    })
}

fn async_send() -> Report {
    alone(|run| {
        let (sender, receiver) = async_channel::bounded(1);
        sends(run, async |item| sender.send(item).await.is_ok(), || receiver.try_recv().ok())
    })
}

fn async_send_behind() -> Report {
    alone(|run| {
        let (sender, receiver) = async_channel::bounded(1);
        assert!(sender.try_send(0).is_ok());
        passes_on(run, sender.send(1), sender.send(2), UsedUp::ByCompletion, || {
            assert!(receiver.try_recv().is_ok())
        })
    })
}

fn flume_recv() -> Report {
    alone(|run| {
        let (sender, receiver) = flume::bounded(1);
        receives(run, async || receiver.recv_async().await.ok(), |item| sender.try_send(item).is_ok())
    })
}

fn flume_recv_rendezvous() -> Report {
    alone(|run| {
        let (sender, receiver) = flume::bounded(0);
        // Each send waits, too, until its item is taken.
        let mut waiting = Vec::new();
        receives(
            run,
            async || receiver.recv_async().await.ok(),
            |item| {
                let mut send = Box::pin(sender.send_async(item));
                let _done = crate::tools::now(send.as_mut());
                waiting.push(send);
                true
            },
        )
    })
}

fn flume_recv_behind() -> Report {
    alone(|run| {
        let (sender, receiver) = flume::bounded(2);
        let send = || assert!(sender.try_send(0).is_ok());
        passes_on(run, receiver.recv_async(), receiver.recv_async(), UsedUp::ByCompletion, send)
    })
}

fn flume_send() -> Report {
    alone(|run| {
        let (sender, receiver) = flume::bounded(1);
        sends(run, async |item| sender.send_async(item).await.is_ok(), || receiver.try_recv().ok())
    })
}

fn flume_send_behind() -> Report {
    alone(|run| {
        let (sender, receiver) = flume::bounded(1);
        assert!(sender.try_send(0).is_ok());
        passes_on(run, sender.send_async(1), sender.send_async(2), UsedUp::Always, || {
            assert!(receiver.try_recv().is_ok())
        })
    })
}

fn kanal_recv() -> Report {
    alone(|run| {
        let (sender, receiver) = kanal::bounded_async(1);
        receives(run, async || receiver.recv().await.ok(), |item| sender.try_send(item) == Ok(true))
    })
}

fn kanal_recv_behind() -> Report {
    alone(|run| {
        let (sender, receiver) = kanal::bounded_async(2);
        let send = || assert_eq!(sender.try_send(0), Ok(true));
        passes_on(run, receiver.recv(), receiver.recv(), UsedUp::ByCompletion, send)
    })
}

fn kanal_send() -> Report {
    alone(|run| {
        let (sender, receiver) = kanal::bounded_async(1);
        sends(run, async |item| sender.send(item).await.is_ok(), || receiver.try_recv().ok().flatten())
    })
}

fn broadcast_recv() -> Report {
    alone(|run| {
        let (sender, mut receiver) = async_broadcast::broadcast(1);
        receives(run, async || receiver.recv().await.ok(), |item| sender.try_broadcast(item).is_ok())
    })
}

fn broadcast_send() -> Report {
    alone(|run| {
        let (sender, mut receiver) = async_broadcast::broadcast(1);
        sends(run, async |item| sender.broadcast(item).await.is_ok(), || receiver.try_recv().ok())
    })
}

fn tachyonix_recv() -> Report {
    alone(|run| {
        let (sender, mut receiver) = tachyonix::channel(1);
        receives(run, async || receiver.recv().await.ok(), |item| sender.try_send(item).is_ok())
    })
}

fn tachyonix_send() -> Report {
    alone(|run| {
        let (sender, mut receiver) = tachyonix::channel(1);
        sends(run, async |item| sender.send(item).await.is_ok(), || receiver.try_recv().ok())
    })
}

fn tachyonix_send_behind() -> Report {
    alone(|run| {
        let (sender, mut receiver) = tachyonix::channel(1);
        assert!(sender.try_send(0).is_ok());
        passes_on(run, sender.send(1), sender.send(2), UsedUp::ByCompletion, || {
            assert!(receiver.try_recv().is_ok())
        })
    })
}
