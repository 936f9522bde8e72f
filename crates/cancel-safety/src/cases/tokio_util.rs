//! tokio-util's codecs, streams, tokens and queues.

use std::io::IoSlice;
use std::time::Duration;

use drop_at_await::{Outcome, Report, Run};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::{Framed, FramedRead, LinesCodec};
use tokio_util::io::{ReaderStream, StreamReader, read_exact_arc, simplex, write_all_vectored};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{JoinQueue, TaskTracker};
use tokio_util::time::DelayQueue;

use super::of;
use crate::case::Case;
use crate::case::Claim::{DropsItsArgument, NotSafe, Nothing, Safe};
use crate::case::Invariant::{Bytes, Items, State, Unsent};
use crate::tools::{
    Lost, MESSAGE, all_there, alone, check, in_tokio, now, reads, receives, receives_in_task, until_it_waits,
    whole_message,
};

pub(super) fn cases() -> Vec<Case> {
    [codecs(), streams(), tasks()].into_iter().flatten().collect()
}

fn codecs() -> Vec<Case> {
    let page = |item, page| of("tokio-util", item, page);
    vec![
        page("codec::Framed, StreamExt::next", "tokio_util/codec/struct.Framed.html#cancellation-safety")
            .says(Safe, "tokio-util/src/codec/framed.rs", "pub struct Framed<T, U>")
            .moving("3 lines, fed byte by byte", Items)
            .keeps(framed_next),
        page(
            "codec::FramedRead, StreamExt::next",
            "tokio_util/codec/struct.FramedRead.html#cancellation-safety",
        )
        .says(Safe, "tokio-util/src/codec/framed_read.rs", "pub struct FramedRead<T, D>")
        .moving("3 lines, fed byte by byte", Items)
        .keeps(framed_read_next),
        page("codec::Framed, SinkExt::send", "tokio_util/codec/struct.Framed.html#cancellation-safety")
            .says(DropsItsArgument, "tokio-util/src/codec/framed.rs", "pub struct Framed<T, U>")
            .moving("3 lines, room for 3 bytes", Unsent)
            .loses("the guarantee: the frame is sent, whole, by the next flush", framed_send)
            .found("tokio-util-framed-send-is-sent.md"),
    ]
}

fn streams() -> Vec<Case> {
    const SIMPLEX: &str = "tokio-util/src/io/simplex.rs";
    let page = |item, page| of("tokio-util", item, page);
    vec![
        page("io::simplex::Receiver, read", "tokio_util/io/simplex/struct.Receiver.html#cancellation-safety")
            .says(Safe, SIMPLEX, "pub struct Receiver")
            .moving("16 bytes, fed one by one", Bytes)
            .keeps(simplex_read),
        page("io::simplex::Sender, write", "tokio_util/io/simplex/struct.Sender.html#cancellation-safety")
            .says(Safe, SIMPLEX, "pub struct Sender")
            .moving("16 bytes, room for 3", Bytes)
            .keeps(simplex_write),
        page("io::read_exact_arc", "tokio_util/io/fn.read_exact_arc.html")
            .says(Nothing, "tokio-util/src/io/read_arc.rs", "pub async fn read_exact_arc<")
            .moving("16 bytes, fed one by one", Bytes)
            .loses("the bytes read so far", read_arc),
        page("io::write_all_vectored", "tokio_util/io/fn.write_all_vectored.html")
            .says(NotSafe, "tokio-util/src/io/write_all_vectored.rs", "pub fn write_all_vectored<")
            .moving("16 bytes in 2 slices, room for 3", Bytes)
            .loses("the count of bytes written: a retry repeats them", write_vectored),
        page("io::StreamReader, read", "tokio_util/io/struct.StreamReader.html")
            .says(Nothing, "tokio-util/src/io/stream_reader.rs", "pub struct StreamReader<S, B>")
            .moving("16 bytes, chunk by chunk", Bytes)
            .keeps(stream_reader),
        page("io::ReaderStream, StreamExt::next", "tokio_util/io/struct.ReaderStream.html")
            .says(Nothing, "tokio-util/src/io/reader_stream.rs", "pub struct ReaderStream<R>")
            .moving("16 bytes, fed one by one", Bytes)
            .keeps(reader_stream),
    ]
}

fn tasks() -> Vec<Case> {
    const TOKEN: &str = "tokio-util/src/sync/cancellation_token.rs";
    const QUEUE: &str = "tokio-util/src/task/join_queue.rs";
    let token = |item| of("tokio-util", item, "tokio_util/sync/struct.CancellationToken.html");
    let queue = |item| of("tokio-util", item, "tokio_util/task/struct.JoinQueue.html");
    vec![
        token("sync::CancellationToken::cancelled")
            .says(Safe, TOKEN, "pub fn cancelled(")
            .moving("1 cancel", State)
            .keeps(cancelled),
        token("sync::CancellationToken::run_until_cancelled")
            .says(Safe, TOKEN, "pub async fn run_until_cancelled<")
            .moving("3 items by an `mpsc` receive", Items)
            .keeps(run_until_cancelled),
        of("tokio-util", "task::TaskTracker::wait", "tokio_util/task/struct.TaskTracker.html#method.wait")
            .says(Safe, "tokio-util/src/task/task_tracker.rs", "pub fn wait(")
            .moving("the end of 1 task", State)
            .keeps(tracker),
        queue("task::JoinQueue::join_next")
            .says(Safe, QUEUE, "pub async fn join_next(")
            .moving("3 results", Items)
            .keeps(join_next),
        queue("task::JoinQueue::join_all")
            .says(NotSafe, QUEUE, "pub async fn join_all(")
            .moving("3 results", Items)
            .loses("all results: the queue is dropped too", join_all),
        of("tokio-util", "time::DelayQueue, StreamExt::next", "tokio_util/time/struct.DelayQueue.html")
            .says(Safe, "tokio-util/src/time/delay_queue.rs", "pub struct DelayQueue<T>")
            .moving("3 items", Items)
            .keeps(delay_queue),
    ]
}

/// Three lines, each the number of its item.
const LINES: &[u8] = b"0\n1\n2\n";

fn feed(far: &mut DuplexStream, bytes: &[u8]) -> bool {
    now(far.write_all(bytes)).is_some()
}

fn drain(far: &mut DuplexStream, arrived: &mut Vec<u8>) -> bool {
    now(far.read_buf(arrived)).is_some_and(|read| read.is_ok_and(|count| count > 0))
}

/// Receives three lines, fed byte by byte.
fn receives_lines(
    run: &mut Run,
    mut receive: impl AsyncFnMut() -> Option<u32>,
    mut far: DuplexStream,
) -> Lost {
    let (mut bytes, mut arrived) = (LINES.iter(), Vec::new());
    while arrived.len() < 3 {
        let line = run.retry(&mut receive, |_| bytes.next().is_some_and(|byte| feed(&mut far, &[*byte])));
        let Outcome::Completed(Some(item)) = line else { break };
        arrived.push(item);
    }
    all_there(3, &arrived)
}

fn framed_next() -> Report {
    alone(|run| {
        let (near, far) = duplex(64);
        let mut frames = Framed::new(near, LinesCodec::new());
        receives_lines(run, async || frames.next().await?.ok()?.parse().ok(), far)
    })
}

fn framed_read_next() -> Report {
    alone(|run| {
        let (near, far) = duplex(64);
        let mut frames = FramedRead::new(near, LinesCodec::new());
        receives_lines(run, async || frames.next().await?.ok()?.parse().ok(), far)
    })
}

fn framed_send() -> Report {
    alone(|run| {
        let (near, mut far) = duplex(3);
        let mut frames = Framed::new(near, LinesCodec::new());
        let (mut arrived, mut completed) = (Vec::new(), String::new());
        for line in ["first", "second", "third"] {
            let sent = run.drive_beside(frames.send(line), |_| drain(&mut far, &mut arrived));
            if sent.completed().is_some() {
                completed.extend([line, "\n"]);
            }
        }
        // What the last one left behind goes out with it.
        drop(run.drive_beside(SinkExt::<&str>::flush(&mut frames), |_| drain(&mut far, &mut arrived)));
        while drain(&mut far, &mut arrived) {}
        let arrived = String::from_utf8_lossy(&arrived);
        check(arrived == completed, &format!("{completed:?} was sent, {arrived:?} arrived"))
    })
}

fn simplex_read() -> Report {
    alone(|run| {
        let (mut sender, mut receiver) = simplex::new(64);
        let read = async || {
            let mut buf = [0; 8];
            let count = receiver.read(&mut buf).await.ok()?;
            Some(buf[..count].to_vec())
        };
        reads(run, read, |bytes| now(sender.write_all(bytes)).is_some())
    })
}

fn simplex_write() -> Report {
    alone(|run| {
        let (mut sender, mut receiver) = simplex::new(3);
        let (mut written, mut arrived) = (0, Vec::new());
        while written < MESSAGE.len() {
            let rest = &MESSAGE[written..];
            let count = run.retry(
                async || sender.write(rest).await.ok(),
                |_| now(receiver.read_buf(&mut arrived)).is_some(),
            );
            let Outcome::Completed(Some(count)) = count else { break };
            written += count;
        }
        drop(sender);
        while now(receiver.read_buf(&mut arrived)).is_some_and(|read| read.is_ok_and(|count| count > 0)) {}
        whole_message(&arrived)
    })
}

fn read_arc() -> Report {
    alone(|run| {
        let (mut near, mut far) = duplex(64);
        let read = async || Some(read_exact_arc(&mut near, 4).await.ok()?.to_vec());
        reads(run, read, |bytes| feed(&mut far, bytes))
    })
}

fn write_vectored() -> Report {
    alone(|run| {
        let (mut near, mut far) = duplex(3);
        let mut arrived = Vec::new();
        let write = async || {
            let (left, right) = MESSAGE.split_at(8);
            write_all_vectored(&mut near, &mut [IoSlice::new(left), IoSlice::new(right)]).await
        };
        drop(run.retry(write, |_| drain(&mut far, &mut arrived)));
        while drain(&mut far, &mut arrived) {}
        whole_message(&arrived)
    })
}

fn stream_reader() -> Report {
    alone(|run| {
        let (sender, receiver) = futures::channel::mpsc::unbounded::<std::io::Result<Vec<u8>>>();
        let mut reader = StreamReader::new(receiver.map(|chunk| chunk.map(bytes::Bytes::from)));
        let read = async || {
            let mut buf = [0; 8];
            let count = reader.read(&mut buf).await.ok()?;
            Some(buf[..count].to_vec())
        };
        reads(run, read, |bytes| sender.unbounded_send(Ok(bytes.to_vec())).is_ok())
    })
}

fn reader_stream() -> Report {
    alone(|run| {
        let (near, mut far) = duplex(64);
        let mut chunks = ReaderStream::new(near);
        reads(run, async || Some(chunks.next().await?.ok()?.to_vec()), |bytes| feed(&mut far, bytes))
    })
}

fn cancelled() -> Report {
    alone(|run| {
        let token = CancellationToken::new();
        let outcome = run.retry(
            async || token.cancelled().await,
            |step| {
                token.cancel();
                step == 0
            },
        );
        check(outcome.completed().is_some(), "the cancel")
    })
}

fn run_until_cancelled() -> Report {
    alone(|run| {
        let token = CancellationToken::new();
        let (sender, mut receiver) = mpsc::channel(1);
        receives(
            run,
            async || token.run_until_cancelled(receiver.recv()).await.flatten(),
            |item| sender.try_send(item).is_ok(),
        )
    })
}

fn tracker() -> Report {
    alone(|run| {
        let tracker = TaskTracker::new();
        tracker.close();
        let mut task = Some(tracker.token());
        let outcome = run.retry(async || tracker.wait().await, |_| task.take().is_some());
        check(outcome.completed().is_some(), "the end of the task")
    })
}

fn join_next() -> Report {
    in_tokio(async |run| {
        let (mut queue, mut senders) = queue_of_three();
        let receive = async || queue.join_next().await.and_then(Result::ok);
        receives_in_task(run, receive, |_| senders.pop().is_some()).await
    })
}

fn join_all() -> Report {
    in_tokio(async |run| {
        let (queue, mut senders) = queue_of_three();
        let outcome = run.drive_beside(queue.join_all(), |_| senders.pop().is_some()).await;
        all_there(3, &outcome.completed().unwrap_or_default())
    })
}

/// Three tasks that return their numbers, the first one when the last sender is dropped.
fn queue_of_three() -> (JoinQueue<u32>, Vec<oneshot::Sender<()>>) {
    let mut queue = JoinQueue::new();
    let mut senders = Vec::new();
    for item in 0..3 {
        let (sender, receiver) = oneshot::channel::<()>();
        senders.insert(0, sender);
        queue.spawn(async move {
            drop(receiver.await);
            item
        });
    }
    (queue, senders)
}

fn delay_queue() -> Report {
    until_it_waits(|| {
        in_tokio(async |run| {
            let mut queue = DelayQueue::new();
            for item in 0..3 {
                queue.insert(item, Duration::from_millis(5 * u64::from(item + 1)));
            }
            receives_in_task(run, async || Some(queue.next().await?.into_inner()), |_| false).await
        })
    })
}
