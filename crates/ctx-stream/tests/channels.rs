//! Channels of two libraries, read up to the end of a context.

use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, Instant};

use ctx::{Context, Error, ManualClock};
use ctx_stream::TakeUntilEnd;
use futures_core::FusedStream;
use futures_lite::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

fn never(_: Instant) -> std::future::Pending<()> {
    std::future::pending()
}

fn next<St: Stream + Unpin>(stream: &mut St) -> Poll<Option<St::Item>> {
    pin!(stream.next()).poll(&mut Task::from_waker(Waker::noop()))
}

#[test]
fn a_channel_of_async_channel_is_read_until_the_cancel_and_keeps_what_was_not_read() {
    let (sender, receiver) = async_channel::bounded(4);
    let (ctx, cancel) = Context::background().with_cancel();
    let mut items = pin!(receiver.clone().take_until_end(&ctx, never));
    assert_eq!(next(&mut items), Poll::Pending);
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    assert_eq!(next(&mut items), Poll::Ready(Some(1)));
    cancel.cancel();
    assert_eq!((next(&mut items), next(&mut items)), (Poll::Ready(None), Poll::Ready(None)));
    assert_eq!((items.ended(), receiver.try_recv()), (Some(Error::Canceled), Ok(2)));
}

#[test]
fn a_channel_of_tokio_is_read_until_the_deadline() {
    let clock = ManualClock::new();
    let (ctx, _cancel) = clock.attach(&Context::background()).with_timeout(Duration::from_secs(1));
    let (sender, receiver) = mpsc::channel(4);
    let mut items = pin!(ReceiverStream::new(receiver).take_until_end(&ctx, never));
    sender.try_send(1).unwrap();
    assert_eq!((next(&mut items), next(&mut items)), (Poll::Ready(Some(1)), Poll::Pending));
    clock.advance(Duration::from_secs(1));
    assert_eq!((next(&mut items), items.ended()), (Poll::Ready(None), Some(Error::DeadlineExceeded)));
    // The stream is gone, so its sender knows.
    assert!(sender.is_closed());
}

#[test]
fn a_stream_that_ends_by_itself_says_so() {
    let mut items = pin!(futures_lite::stream::iter([1]).take_until_end(&Context::background(), never));
    assert_eq!((next(&mut items), next(&mut items)), (Poll::Ready(Some(1)), Poll::Ready(None)));
    assert_eq!((items.ended(), items.size_hint()), (None, (0, Some(0))));
    assert!(items.is_terminated());
}
