//! Channels, sinks, streams and locks of `futures`.

use std::pin::Pin;

use drop_at_await::{Report, Run};
use futures::channel::{mpsc, oneshot};
use futures::lock::Mutex;
use futures::stream::FuturesUnordered;
use futures::{SinkExt, StreamExt};

use super::of;
use crate::case::Case;
use crate::case::Claim::Nothing;
use crate::case::Invariant::{Items, Lock};
use crate::tools::{Lost, UsedUp, all_there, alone, check, passes_on, receives, sends};

const SINK: &str = "futures-util/src/sink/mod.rs";
const STREAM: &str = "futures-util/src/stream/stream/mod.rs";
const SENT: &str = "3 items, capacity 1";

pub(super) fn cases() -> Vec<Case> {
    [sinks(), streams()].into_iter().flatten().collect()
}

fn sinks() -> Vec<Case> {
    let page = |item, method| of("futures", item, method);
    vec![
        page("sink::SinkExt::send", "futures/sink/trait.SinkExt.html#method.send")
            .says(Nothing, SINK, "fn send(")
            .moving("3 items, `mpsc` of capacity 1", Items)
            .loses("the item given to it", send),
        page("sink::SinkExt::feed", "futures/sink/trait.SinkExt.html#method.feed")
            .says(Nothing, SINK, "fn feed(")
            .moving("3 items, `mpsc` of capacity 1", Items)
            .loses("the item given to it", feed),
        page("sink::SinkExt::send_all", "futures/sink/trait.SinkExt.html#method.send_all")
            .says(Nothing, SINK, "fn send_all<'a, St>(")
            .moving("3 items of a stream that is kept", Items)
            .loses("an item that it took from the stream", send_all)
            .found("futures-send-all-loses-an-item.md"),
        page("stream::StreamExt::forward", "futures/stream/trait.StreamExt.html#method.forward")
            .says(Nothing, STREAM, "fn forward<S>(")
            .moving("3 items of a stream that is kept", Items)
            .loses("an item that it took from the stream", forward)
            .found("futures-send-all-loses-an-item.md"),
        page("lock::Mutex::lock", "futures/lock/struct.Mutex.html#method.lock")
            .says(Nothing, "futures-util/src/lock/mutex.rs", "pub fn lock(")
            .moving("2 waiters", Lock)
            .keeps(lock),
        page("&mut channel::oneshot::Receiver", "futures/channel/oneshot/struct.Receiver.html")
            .says(Nothing, "futures-channel/src/oneshot.rs", "pub struct Receiver<T>")
            .moving("1 item", Items)
            .keeps(oneshot),
    ]
}

fn streams() -> Vec<Case> {
    let page = |item, method| of("futures", item, method);
    vec![
        page("stream::StreamExt::next", "futures/stream/trait.StreamExt.html#method.next")
            .says(Nothing, STREAM, "fn next(&mut self)")
            .moving(SENT, Items)
            .keeps(next),
        page(
            "stream::StreamExt::select_next_some",
            "futures/stream/trait.StreamExt.html#method.select_next_some",
        )
        .says(Nothing, STREAM, "fn select_next_some(")
        .moving(SENT, Items)
        .keeps(select_next_some),
        page("stream::Peekable::peek", "futures/stream/struct.Peekable.html#method.peek")
            .says(Nothing, "futures-util/src/stream/stream/peek.rs", "pub fn peek(")
            .moving(SENT, Items)
            .keeps(peek),
        page("stream::StreamExt::chunks, then next", "futures/stream/trait.StreamExt.html#method.chunks")
            .says(Nothing, STREAM, "fn chunks(")
            .moving("3 items in chunks of 3", Items)
            .keeps(chunks),
        page("stream::StreamExt::buffered, then next", "futures/stream/trait.StreamExt.html#method.buffered")
            .says(Nothing, STREAM, "fn buffered(")
            .moving("3 futures, 2 at a time", Items)
            .keeps(buffered),
        page("stream::FuturesUnordered, next", "futures/stream/struct.FuturesUnordered.html")
            .says(Nothing, STREAM, "fn next(&mut self)")
            .moving("3 futures", Items)
            .keeps(unordered),
        page("stream::StreamExt::collect", "futures/stream/trait.StreamExt.html#method.collect")
            .says(Nothing, STREAM, "fn collect<")
            .moving("3 items of a stream that is kept", Items)
            .loses("the items collected so far", collect),
    ]
}

/// Sends three items, the first without waiting, so that the others wait for room before they are in the channel.
fn sending(mut send: impl AsyncFnMut(&mut mpsc::Sender<u32>, u32) -> bool) -> Report {
    alone(|run| {
        let (mut sender, mut receiver) = mpsc::channel(0);
        let send = async |item| match item {
            0 => sender.try_send(item).is_ok(),
            _ => send(&mut sender, item).await,
        };
        sends(run, send, || receiver.try_recv().ok())
    })
}

fn send() -> Report {
    sending(async |sender, item| sender.send(item).await.is_ok())
}

fn feed() -> Report {
    sending(async |sender, item| sender.feed(item).await.is_ok())
}

/// Brings all items of one channel into another, which has room for one, again after a drop.
fn piping(
    run: &mut Run,
    mut pipe: impl AsyncFnMut(&mut mpsc::UnboundedReceiver<u32>, &mut mpsc::Sender<u32>),
) -> Lost {
    let ((source, mut from), (mut to, mut sink)) = (mpsc::unbounded(), mpsc::channel(0));
    let (mut source, mut arrived) = (Some(source), Vec::new());
    drop(run.retry(
        async || pipe(&mut from, &mut to).await,
        |_| {
            // All items and their end come at once; then each is taken as it is waited for.
            if let Some(source) = source.take() {
                return (0..3).all(|item| source.unbounded_send(item).is_ok());
            }
            let received = sink.try_recv().ok();
            arrived.extend(received);
            received.is_some()
        },
    ));
    arrived.extend(std::iter::from_fn(|| sink.try_recv().ok()));
    all_there(3, &arrived)
}

fn send_all() -> Report {
    alone(|run| piping(run, async |from, to| drop(to.send_all(&mut from.map(Ok)).await)))
}

fn forward() -> Report {
    alone(|run| piping(run, async |from, to| drop(from.map(Ok).forward(to).await)))
}

fn lock() -> Report {
    alone(|run| {
        let mutex = Mutex::new(());
        let mut held = mutex.try_lock();
        passes_on(run, mutex.lock(), mutex.lock(), UsedUp::Never, || drop(held.take()))
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

fn next() -> Report {
    alone(|run| {
        let (mut sender, mut receiver) = mpsc::channel(0);
        receives(run, async || receiver.next().await, |item| sender.try_send(item).is_ok())
    })
}

fn select_next_some() -> Report {
    alone(|run| {
        let (mut sender, mut receiver) = mpsc::channel(0);
        receives(run, async || Some(receiver.select_next_some().await), |item| sender.try_send(item).is_ok())
    })
}

fn peek() -> Report {
    alone(|run| {
        let (mut sender, receiver) = mpsc::channel(0);
        let mut receiver = receiver.peekable();
        let receive = async || {
            let peeked = Pin::new(&mut receiver).peek().await.copied();
            // Nothing waits here: the item is there.
            peeked.and(receiver.next().await)
        };
        receives(run, receive, |item| sender.try_send(item).is_ok())
    })
}

fn chunks() -> Report {
    alone(|run| {
        let (mut sender, receiver) = mpsc::channel(0);
        let mut chunks = receiver.chunks(3);
        let mut items = 0..3;
        let outcome = run.retry(
            async || chunks.next().await,
            |_| items.next().is_some_and(|item| sender.try_send(item).is_ok()),
        );
        all_there(3, &outcome.completed().flatten().unwrap_or_default())
    })
}

/// Three futures that wait, and what ends each.
fn three() -> (Vec<oneshot::Sender<u32>>, Vec<oneshot::Receiver<u32>>) {
    (0..3).map(|_| oneshot::channel()).unzip()
}

fn buffered() -> Report {
    alone(|run| {
        let (senders, receivers) = three();
        let mut results = futures::stream::iter(receivers).buffered(2);
        let mut senders = senders.into_iter();
        receives(
            run,
            async || results.next().await?.ok(),
            |item| senders.next().is_some_and(|sender| sender.send(item).is_ok()),
        )
    })
}

fn unordered() -> Report {
    alone(|run| {
        let (senders, receivers) = three();
        let mut results: FuturesUnordered<_> = receivers.into_iter().collect();
        let mut senders = senders.into_iter();
        receives(
            run,
            async || results.next().await?.ok(),
            |item| senders.next().is_some_and(|sender| sender.send(item).is_ok()),
        )
    })
}

fn collect() -> Report {
    alone(|run| {
        let (sender, mut receiver) = mpsc::unbounded();
        let (mut sender, mut items) = (Some(sender), 0..3);
        let outcome = run.retry(
            async || receiver.by_ref().collect::<Vec<u32>>().await,
            |_| match items.next() {
                Some(item) => sender.as_ref().is_some_and(|sender| sender.unbounded_send(item).is_ok()),
                None => sender.take().is_some(),
            },
        );
        all_there(3, &outcome.completed().unwrap_or_default())
    })
}
