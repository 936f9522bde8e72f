//! tokio's channels.

use drop_at_await::{Outcome, Report};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::of;
use crate::case::Case;
use crate::case::Claim::{DropsItsArgument, LosesItsPlace, Safe};
use crate::case::Invariant::{Items, Permits, State, Wake};
use crate::tools::{UsedUp, all_there, alone, check, passes_on, receives, sends};

const BOUNDED: &str = "tokio/src/sync/mpsc/bounded.rs";
const UNBOUNDED: &str = "tokio/src/sync/mpsc/unbounded.rs";
const WATCH: &str = "tokio/src/sync/watch.rs";

pub(super) fn cases() -> Vec<Case> {
    [receivers(), senders(), others()].into_iter().flatten().collect()
}

fn receivers() -> Vec<Case> {
    vec![
        of("tokio", "sync::mpsc::Receiver::recv", "tokio/sync/mpsc/struct.Receiver.html#method.recv")
            .says(Safe, BOUNDED, "pub async fn recv(")
            .moving("3 items, capacity 1", Items)
            .keeps(recv),
        of(
            "tokio",
            "sync::mpsc::Receiver::recv_many",
            "tokio/sync/mpsc/struct.Receiver.html#method.recv_many",
        )
        .says(Safe, BOUNDED, "pub async fn recv_many(")
        .moving("3 items, capacity 1", Items)
        .keeps(recv_many),
        of(
            "tokio",
            "sync::mpsc::UnboundedReceiver::recv",
            "tokio/sync/mpsc/struct.UnboundedReceiver.html#method.recv",
        )
        .says(Safe, UNBOUNDED, "pub async fn recv(")
        .moving("3 items", Items)
        .keeps(recv_unbounded),
    ]
}

fn senders() -> Vec<Case> {
    vec![
        of("tokio", "sync::mpsc::Sender::send", "tokio/sync/mpsc/struct.Sender.html#method.send")
            .says(DropsItsArgument, BOUNDED, "pub async fn send(")
            .moving("3 items, capacity 1", Items)
            .loses("the item given to it", send),
        of("tokio", "sync::mpsc::Sender::reserve", "tokio/sync/mpsc/struct.Sender.html#method.reserve")
            .says(LosesItsPlace, BOUNDED, "pub async fn reserve(")
            .moving("3 items, capacity 1", Items)
            .keeps(reserve),
        of("tokio", "sync::mpsc::Sender::reserve", "tokio/sync/mpsc/struct.Sender.html#method.reserve")
            .says(LosesItsPlace, BOUNDED, "pub async fn reserve(")
            .moving("2 senders, 1 place", Wake)
            .keeps(reserve_behind),
        of(
            "tokio",
            "sync::mpsc::Sender::reserve_many",
            "tokio/sync/mpsc/struct.Sender.html#method.reserve_many",
        )
        .says(LosesItsPlace, BOUNDED, "pub async fn reserve_many(")
        .moving("2 of 2 places, 1 free", Permits)
        .keeps(reserve_many),
        of(
            "tokio",
            "sync::mpsc::Sender::reserve_owned",
            "tokio/sync/mpsc/struct.Sender.html#method.reserve_owned",
        )
        .says(LosesItsPlace, BOUNDED, "pub async fn reserve_owned(")
        .moving("1 place", Permits)
        .keeps(reserve_owned),
        of("tokio", "sync::mpsc::Sender::closed", "tokio/sync/mpsc/struct.Sender.html#method.closed")
            .says(Safe, BOUNDED, "pub async fn closed(")
            .moving("the end of the receiver", State)
            .keeps(closed),
    ]
}

/// The cases of channels that are not `mpsc`.
fn others() -> Vec<Case> {
    vec![
        of(
            "tokio",
            "sync::broadcast::Receiver::recv",
            "tokio/sync/broadcast/struct.Receiver.html#method.recv",
        )
        .says(Safe, "tokio/src/sync/broadcast.rs", "pub async fn recv(&mut self)")
        .moving("3 items, capacity 4", Items)
        .keeps(recv_broadcast),
        of("tokio", "sync::watch::Receiver::changed", "tokio/sync/watch/struct.Receiver.html#method.changed")
            .says(Safe, WATCH, "pub async fn changed(")
            .moving("3 values", Items)
            .keeps(changed),
        of(
            "tokio",
            "sync::watch::Receiver::wait_for",
            "tokio/sync/watch/struct.Receiver.html#method.wait_for",
        )
        .says(Safe, WATCH, "pub async fn wait_for(")
        .moving("3 values, the third awaited", State)
        .keeps(wait_for),
        of("tokio", "&mut sync::oneshot::Receiver", "tokio/sync/oneshot/struct.Receiver.html#cancel-safety")
            .says(Safe, "tokio/src/sync/oneshot.rs", "pub struct Receiver<T>")
            .moving("1 item", Items)
            .keeps(oneshot),
    ]
}

fn recv() -> Report {
    alone(|run| {
        let (sender, mut receiver) = mpsc::channel(1);
        receives(run, async || receiver.recv().await, |item| sender.try_send(item).is_ok())
    })
}

fn recv_many() -> Report {
    alone(|run| {
        let (sender, mut receiver) = mpsc::channel(1);
        let mut arrived = Vec::new();
        let mut items = 0..3;
        while arrived.len() < 3 {
            let outcome = run.retry(
                async || receiver.recv_many(&mut arrived, 8).await,
                |_| items.next().is_some_and(|item| sender.try_send(item).is_ok()),
            );
            if outcome.completed().is_none() {
                break;
            }
        }
        all_there(3, &arrived)
    })
}

fn recv_unbounded() -> Report {
    alone(|run| {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        receives(run, async || receiver.recv().await, |item| sender.send(item).is_ok())
    })
}

fn send() -> Report {
    alone(|run| {
        let (sender, mut receiver) = mpsc::channel(1);
        sends(run, async |item| sender.send(item).await.is_ok(), || receiver.try_recv().ok())
    })
}

fn reserve() -> Report {
    alone(|run| {
        let (sender, mut receiver) = mpsc::channel(1);
        let mut arrived = Vec::new();
        for item in 0..3 {
            let place = run.retry(
                async || sender.reserve().await.ok(),
                |_| {
                    let received = receiver.try_recv().ok();
                    arrived.extend(received);
                    received.is_some()
                },
            );
            if let Outcome::Completed(Some(place)) = place {
                place.send(item);
            }
        }
        arrived.extend(std::iter::from_fn(|| receiver.try_recv().ok()));
        all_there(3, &arrived)
    })
}

fn reserve_behind() -> Report {
    alone(|run| {
        let (sender, mut receiver) = mpsc::channel(1);
        let full = sender.try_send(0).is_ok();
        assert!(full);
        passes_on(run, sender.reserve(), sender.reserve(), UsedUp::Never, || {
            assert!(receiver.try_recv().is_ok())
        })
    })
}

fn reserve_many() -> Report {
    alone(|run| {
        let (sender, mut receiver) = mpsc::channel(2);
        let sent = sender.try_send(0).is_ok();
        assert!(sent);
        drop(run.drive_beside(sender.reserve_many(2), |_| receiver.try_recv().is_ok()));
        while receiver.try_recv().is_ok() {}
        check(sender.capacity() == 2, "a place")
    })
}

fn reserve_owned() -> Report {
    alone(|run| {
        let (sender, mut receiver) = mpsc::channel(1);
        let sent = sender.try_send(0).is_ok();
        assert!(sent);
        drop(run.drive_beside(sender.clone().reserve_owned(), |_| receiver.try_recv().is_ok()));
        while receiver.try_recv().is_ok() {}
        check(sender.capacity() == 1, "a place")
    })
}

fn closed() -> Report {
    alone(|run| {
        let (sender, mut receiver) = mpsc::channel::<u32>(1);
        let outcome = run.retry(
            async || sender.closed().await,
            |step| {
                receiver.close();
                step == 0
            },
        );
        check(outcome.completed().is_some(), "the end")
    })
}

fn recv_broadcast() -> Report {
    alone(|run| {
        let (sender, mut receiver) = broadcast::channel(4);
        receives(run, async || receiver.recv().await.ok(), |item| sender.send(item).is_ok())
    })
}

fn changed() -> Report {
    alone(|run| {
        let (sender, mut receiver) = watch::channel(u32::MAX);
        let receive = async || receiver.changed().await.ok().map(|()| *receiver.borrow_and_update());
        receives(run, receive, |item| sender.send(item).is_ok())
    })
}

fn wait_for() -> Report {
    alone(|run| {
        let (sender, mut receiver) = watch::channel(u32::MAX);
        let mut values = 0..3;
        let outcome = run.retry(
            async || receiver.wait_for(|value| *value == 2).await.map(|value| *value).ok(),
            |_| values.next().is_some_and(|value| sender.send(value).is_ok()),
        );
        check(outcome.completed() == Some(Some(2)), "the value")
    })
}

fn oneshot() -> Report {
    alone(|run| {
        let (sender, mut receiver) = oneshot::channel();
        let mut sender = Some(sender);
        let outcome = run.retry(
            async || (&mut receiver).await.ok(),
            |_| sender.take().is_some_and(|sender| sender.send(7).is_ok()),
        );
        check(outcome.completed() == Some(Some(7)), "the item")
    })
}
