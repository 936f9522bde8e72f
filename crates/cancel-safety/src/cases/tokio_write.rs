//! tokio's writes and copies: what they put into a stream of bytes.

use std::io::Cursor;

use drop_at_await::{Report, Run};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter, DuplexStream, duplex};
use tokio::io::{copy, copy_bidirectional, copy_buf};

use super::of;
use crate::case::Case;
use crate::case::Claim::{NotSafe, Nothing, Safe};
use crate::case::Invariant::Bytes;
use crate::tools::{Lost, MESSAGE, alone, now, whole_message};

const WRITE: &str = "tokio/src/io/util/async_write_ext.rs";
/// The output of most cases here.
const DRAINED: &str = "16 bytes, room for 3";
const PIPED: &str = "16 bytes, fed 5 at a time, room for 3";

pub(super) fn cases() -> Vec<Case> {
    vec![
        of("tokio", "io::AsyncWriteExt::write", "tokio/io/trait.AsyncWriteExt.html#method.write")
            .says(Safe, WRITE, "fn write<'a>(")
            .moving(DRAINED, Bytes)
            .keeps(write),
        of("tokio", "io::AsyncWriteExt::write_buf", "tokio/io/trait.AsyncWriteExt.html#method.write_buf")
            .says(Safe, WRITE, "fn write_buf<'a, B>(")
            .moving(DRAINED, Bytes)
            .keeps(write_buf),
        of("tokio", "io::AsyncWriteExt::write_all", "tokio/io/trait.AsyncWriteExt.html#method.write_all")
            .says(NotSafe, WRITE, "fn write_all<'a>(")
            .moving(DRAINED, Bytes)
            .loses("the count of bytes written: a retry repeats them", write_all),
        of(
            "tokio",
            "io::AsyncWriteExt::write_all_buf",
            "tokio/io/trait.AsyncWriteExt.html#method.write_all_buf",
        )
        .says(Safe, WRITE, "fn write_all_buf<'a, B>(")
        .moving(DRAINED, Bytes)
        .keeps(write_all_buf),
        of("tokio", "io::AsyncWriteExt::write_u64", "tokio/io/trait.AsyncWriteExt.html#method.write_u64")
            .says(Nothing, WRITE, "fn write_u64(&mut self, n: u64) -> WriteU64;")
            .moving("2 numbers, room for 3 bytes", Bytes)
            .loses("the count of bytes written: a retry repeats them", write_u64)
            .found("tokio-copy-loses-bytes.md"),
        of("tokio", "io::AsyncWriteExt::flush", "tokio/io/trait.AsyncWriteExt.html#method.flush")
            .says(Safe, WRITE, "fn flush(&mut self)")
            .moving("16 bytes in a `BufWriter`, room for 3", Bytes)
            .keeps(flush),
        of("tokio", "io::AsyncWriteExt::shutdown", "tokio/io/trait.AsyncWriteExt.html#method.shutdown")
            .says(Nothing, WRITE, "fn shutdown(&mut self)")
            .moving("16 bytes in a `BufWriter`, room for 3", Bytes)
            .keeps(shutdown),
        of("tokio", "io::copy", "tokio/io/fn.copy.html")
            .says(Nothing, "tokio/src/io/util/copy.rs", "pub async fn copy<'a, R, W>(")
            .moving(PIPED, Bytes)
            .loses("the bytes read and not yet written", copies)
            .found("tokio-copy-loses-bytes.md"),
        of("tokio", "io::copy_buf", "tokio/io/fn.copy_buf.html")
            .says(Nothing, "tokio/src/io/util/copy_buf.rs", "pub async fn copy_buf<'a, R, W>(")
            .moving(PIPED, Bytes)
            .keeps(copies_buffered),
        of("tokio", "io::copy_bidirectional", "tokio/io/fn.copy_bidirectional.html")
            .says(
                Nothing,
                "tokio/src/io/util/copy_bidirectional.rs",
                "pub async fn copy_bidirectional<A, B>(",
            )
            .moving(PIPED, Bytes)
            .loses("the bytes read and not yet written", copies_both_ways)
            .found("tokio-copy-loses-bytes.md"),
    ]
}

/// Takes what there is to read.
fn drain(far: &mut DuplexStream, arrived: &mut Vec<u8>) -> bool {
    now(far.read_buf(arrived)).is_some_and(|read| read.is_ok_and(|count| count > 0))
}

/// Writes with `write`, which gets the part that is still to be written and returns how much of it was.
fn writing(mut write: impl AsyncFnMut(&mut DuplexStream, &[u8]) -> usize) -> Report {
    alone(|run| {
        let (mut near, mut far) = duplex(3);
        let (mut written, mut arrived) = (0, Vec::new());
        while written < MESSAGE.len() {
            let rest = &MESSAGE[written..];
            let outcome = run.retry(async || write(&mut near, rest).await, |_| drain(&mut far, &mut arrived));
            let Some(count) = outcome.completed() else { break };
            written += count;
        }
        while drain(&mut far, &mut arrived) {}
        whole_message(&arrived)
    })
}

fn write() -> Report {
    writing(async |near, rest| near.write(rest).await.unwrap_or_default())
}

fn write_all() -> Report {
    writing(async |near, rest| near.write_all(rest).await.map_or(0, |()| rest.len()))
}

fn write_u64() -> Report {
    writing(async |near, rest| {
        let number = rest.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)).unwrap_or_default();
        near.write_u64(number).await.map_or(0, |()| 8)
    })
}

/// Has `write` bring all of the message into the stream, again after a drop.
fn finishing<W>(
    run: &mut Run,
    mut near: W,
    mut far: DuplexStream,
    mut write: impl AsyncFnMut(&mut W) -> bool,
) -> Lost {
    let mut arrived = Vec::new();
    drop(run.retry(async || write(&mut near).await, |_| drain(&mut far, &mut arrived)));
    while drain(&mut far, &mut arrived) {}
    whole_message(&arrived)
}

fn write_buf() -> Report {
    alone(|run| {
        let (near, far) = duplex(3);
        let mut rest = Cursor::new(MESSAGE);
        finishing(run, near, far, async |near| {
            let mut count = 1;
            while count > 0 {
                count = near.write_buf(&mut rest).await.unwrap_or_default();
            }
            true
        })
    })
}

fn write_all_buf() -> Report {
    alone(|run| {
        let (near, far) = duplex(3);
        let mut rest = Cursor::new(MESSAGE);
        finishing(run, near, far, async |near| near.write_all_buf(&mut rest).await.is_ok())
    })
}

/// A writer that holds the whole message back.
fn holding(near: DuplexStream) -> BufWriter<DuplexStream> {
    let mut near = BufWriter::with_capacity(64, near);
    let held = now(near.write_all(MESSAGE)).is_some();
    assert!(held);
    near
}

fn flush() -> Report {
    alone(|run| {
        let (near, far) = duplex(3);
        finishing(run, holding(near), far, async |near| near.flush().await.is_ok())
    })
}

fn shutdown() -> Report {
    alone(|run| {
        let (near, far) = duplex(3);
        finishing(run, holding(near), far, async |near| near.shutdown().await.is_ok())
    })
}

/// The two outer ends of a copy: bytes go in, their end too, and come out.
struct Ends {
    source: Option<DuplexStream>,
    sink: DuplexStream,
    fed: usize,
    arrived: Vec<u8>,
}

impl Ends {
    fn new(source: DuplexStream, sink: DuplexStream) -> Self {
        Self { source: Some(source), sink, fed: 0, arrived: Vec::new() }
    }

    /// Drains the sink if it has something, or else feeds the source.
    fn step(&mut self) -> bool {
        if drain(&mut self.sink, &mut self.arrived) {
            return true;
        }
        let rest = &MESSAGE[self.fed..];
        let part = &rest[..rest.len().min(5)];
        self.fed += part.len();
        match self.source.as_mut() {
            Some(source) if !part.is_empty() => now(source.write_all(part)).is_some(),
            _ => self.source.take().is_some(),
        }
    }

    fn finish(mut self) -> Lost {
        while drain(&mut self.sink, &mut self.arrived) {}
        whole_message(&self.arrived)
    }
}

fn copies() -> Report {
    alone(|run| {
        let ((mut reader, source), (mut writer, sink)) = (duplex(64), duplex(3));
        let mut ends = Ends::new(source, sink);
        drop(run.retry(async || copy(&mut reader, &mut writer).await, |_| ends.step()));
        ends.finish()
    })
}

fn copies_buffered() -> Report {
    alone(|run| {
        let ((reader, source), (mut writer, sink)) = (duplex(64), duplex(3));
        let (mut reader, mut ends) = (BufReader::new(reader), Ends::new(source, sink));
        drop(run.retry(async || copy_buf(&mut reader, &mut writer).await, |_| ends.step()));
        ends.finish()
    })
}

fn copies_both_ways() -> Report {
    alone(|run| {
        let ((mut left, source), (mut right, mut sink)) = (duplex(64), duplex(3));
        // Nothing comes back.
        let shut = now(sink.shutdown()).is_some();
        assert!(shut);
        let mut ends = Ends::new(source, sink);
        drop(run.retry(async || copy_bidirectional(&mut left, &mut right).await, |_| ends.step()));
        ends.finish()
    })
}
