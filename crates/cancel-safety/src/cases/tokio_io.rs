//! tokio's reads: what they take out of a stream of bytes.

use drop_at_await::Report;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};

use super::of;
use crate::case::Case;
use crate::case::Claim::{NotSafe, Nothing, Safe};
use crate::case::Invariant::Bytes;
use crate::tools::{MESSAGE, alone, check, now, reads, whole_message};

const READ: &str = "tokio/src/io/util/async_read_ext.rs";
const BUF_READ: &str = "tokio/src/io/util/async_buf_read_ext.rs";
/// `select!` lists functions whose own documentation says nothing.
const SELECT: &str = "tokio/src/macros/select.rs";
/// The input of most cases here.
const FED: &str = "16 bytes, fed one by one";
const LINES: &str = "2 lines, fed byte by byte";

pub(super) fn cases() -> Vec<Case> {
    vec![
        of("tokio", "io::AsyncReadExt::read", "tokio/io/trait.AsyncReadExt.html#method.read")
            .says(Safe, READ, "fn read<'a>(")
            .moving(FED, Bytes)
            .keeps(read),
        of("tokio", "io::AsyncReadExt::read_buf", "tokio/io/trait.AsyncReadExt.html#method.read_buf")
            .says(Safe, READ, "fn read_buf<'a, B>(")
            .moving(FED, Bytes)
            .keeps(read_buf),
        of("tokio", "io::AsyncReadExt::read_u8", "tokio/io/trait.AsyncReadExt.html#method.read_u8")
            .says(Safe, READ, "fn read_u8(&mut self) -> ReadU8;")
            .moving(FED, Bytes)
            .keeps(read_u8),
        of("tokio", "io::AsyncReadExt::read_u32", "tokio/io/trait.AsyncReadExt.html#method.read_u32")
            .says(NotSafe, READ, "fn read_u32(&mut self) -> ReadU32;")
            .moving(FED, Bytes)
            .loses("the bytes of a number that is not whole", read_u32),
        of("tokio", "io::AsyncReadExt::read_exact", "tokio/io/trait.AsyncReadExt.html#method.read_exact")
            .says(NotSafe, READ, "fn read_exact<'a>(")
            .moving(FED, Bytes)
            .loses("the bytes read so far", read_exact),
        of("tokio", "io::AsyncReadExt::read_to_end", "tokio/io/trait.AsyncReadExt.html#method.read_to_end")
            .says(NotSafe, SELECT, "$select")
            .moving("16 bytes into a `Vec` that is kept", Bytes)
            .keeps(read_to_end),
        of(
            "tokio",
            "io::AsyncReadExt::read_to_string",
            "tokio/io/trait.AsyncReadExt.html#method.read_to_string",
        )
        .says(NotSafe, SELECT, "$select")
        .moving("16 bytes into a `String` that is kept", Bytes)
        .loses("the bytes read so far, and what the `String` held before", read_to_string),
        of(
            "tokio",
            "io::AsyncBufReadExt::read_until",
            "tokio/io/trait.AsyncBufReadExt.html#method.read_until",
        )
        .says(Safe, BUF_READ, "fn read_until<'a>(")
        .moving(LINES, Bytes)
        .keeps(read_until),
        of("tokio", "io::AsyncBufReadExt::read_line", "tokio/io/trait.AsyncBufReadExt.html#method.read_line")
            .says(NotSafe, BUF_READ, "fn read_line<'a>(")
            .moving(LINES, Bytes)
            .loses("the line so far, and what the `String` held before", read_line),
        of("tokio", "io::AsyncBufReadExt::fill_buf", "tokio/io/trait.AsyncBufReadExt.html#method.fill_buf")
            .says(Safe, BUF_READ, "fn fill_buf(")
            .moving(FED, Bytes)
            .keeps(fill_buf),
        of("tokio", "io::Lines::next_line", "tokio/io/struct.Lines.html#method.next_line")
            .says(Safe, "tokio/src/io/util/lines.rs", "pub async fn next_line(")
            .moving(LINES, Bytes)
            .keeps(next_line),
        of("tokio", "io::Split::next_segment", "tokio/io/struct.Split.html#method.next_segment")
            .says(Nothing, "tokio/src/io/util/split.rs", "pub async fn next_segment(")
            .moving(LINES, Bytes)
            .keeps(next_segment),
    ]
}

/// A stream with room for all of the message.
fn stream() -> (DuplexStream, DuplexStream) {
    duplex(64)
}

/// Writes bytes that have room.
fn feed(far: &mut DuplexStream, bytes: &[u8]) -> bool {
    now(far.write_all(bytes)).is_some()
}

/// Reads with one of the functions that return what they read.
fn reading(mut read: impl AsyncFnMut(&mut DuplexStream) -> Option<Vec<u8>>) -> Report {
    alone(|run| {
        let (mut near, mut far) = stream();
        reads(run, async || read(&mut near).await, |bytes| feed(&mut far, bytes))
    })
}

fn read() -> Report {
    reading(async |near| {
        let mut buf = [0; 8];
        let count = near.read(&mut buf).await.ok()?;
        Some(buf[..count].to_vec())
    })
}

fn read_buf() -> Report {
    reading(async |near| {
        let mut buf = Vec::with_capacity(8);
        near.read_buf(&mut buf).await.ok()?;
        Some(buf)
    })
}

fn read_u8() -> Report {
    reading(async |near| Some(vec![near.read_u8().await.ok()?]))
}

fn read_u32() -> Report {
    reading(async |near| Some(near.read_u32().await.ok()?.to_be_bytes().to_vec()))
}

fn read_exact() -> Report {
    reading(async |near| {
        let mut buf = [0; 4];
        near.read_exact(&mut buf).await.ok()?;
        Some(buf.to_vec())
    })
}

/// Feeds the message byte by byte, and then its end.
fn feed_to_end(far: &mut Option<DuplexStream>, fed: usize) -> bool {
    match (far.as_mut(), MESSAGE.get(fed)) {
        (Some(far), Some(byte)) => feed(far, &[*byte]),
        (Some(_), None) => far.take().is_some(),
        (None, _) => false,
    }
}

fn read_to_end() -> Report {
    alone(|run| {
        let (mut near, far) = stream();
        let (mut far, mut kept) = (Some(far), Vec::new());
        drop(run.retry(async || near.read_to_end(&mut kept).await, |fed| feed_to_end(&mut far, fed)));
        whole_message(&kept)
    })
}

fn read_to_string() -> Report {
    alone(|run| {
        let (mut near, far) = stream();
        let (mut far, mut kept) = (Some(far), String::new());
        drop(run.retry(async || near.read_to_string(&mut kept).await, |fed| feed_to_end(&mut far, fed)));
        whole_message(kept.as_bytes())
    })
}

/// Two lines of seven bytes and their ends.
fn two_lines() -> Vec<u8> {
    b"0123456\n89abcde\n".to_vec()
}

/// Reads both lines with a function that appends a line to what is kept.
macro_rules! appending_lines {
    ($kept:ident: $new:expr, $near:ident => $read:expr) => {
        alone(|run| {
            let (near, mut far) = stream();
            let mut $near = BufReader::new(near);
            let (mut bytes, mut $kept) = (two_lines().into_iter(), $new);
            for _ in 0..2 {
                drop(run.retry(
                    async || $read.await,
                    |_| bytes.next().is_some_and(|byte| feed(&mut far, &[byte])),
                ));
            }
            let kept: &[u8] = $kept.as_ref();
            check(kept == two_lines(), &format!("{:?} arrived", String::from_utf8_lossy(kept)))
        })
    };
}

fn read_until() -> Report {
    appending_lines!(kept: Vec::new(), near => near.read_until(b'\n', &mut kept))
}

fn read_line() -> Report {
    appending_lines!(kept: String::new(), near => near.read_line(&mut kept))
}

fn fill_buf() -> Report {
    alone(|run| {
        let (near, mut far) = stream();
        let mut near = BufReader::new(near);
        let fill = async || {
            let bytes = near.fill_buf().await.ok()?.to_vec();
            near.consume(bytes.len());
            Some(bytes)
        };
        reads(run, fill, |bytes| feed(&mut far, bytes))
    })
}

fn next_line() -> Report {
    alone(|run| {
        let (near, mut far) = stream();
        let mut lines = BufReader::new(near).lines();
        let (mut bytes, mut kept) = (two_lines().into_iter(), Vec::new());
        for _ in 0..2 {
            let line = run.retry(
                async || lines.next_line().await.ok().flatten(),
                |_| bytes.next().is_some_and(|byte| feed(&mut far, &[byte])),
            );
            kept.extend(line.completed().flatten());
        }
        check(kept == ["0123456", "89abcde"], &format!("{kept:?} arrived"))
    })
}

fn next_segment() -> Report {
    alone(|run| {
        let (near, mut far) = stream();
        let mut segments = BufReader::new(near).split(b'\n');
        let (mut bytes, mut kept) = (two_lines().into_iter(), Vec::<Vec<u8>>::new());
        for _ in 0..2 {
            let segment = run.retry(
                async || segments.next_segment().await.ok().flatten(),
                |_| bytes.next().is_some_and(|byte| feed(&mut far, &[byte])),
            );
            kept.extend(segment.completed().flatten());
        }
        check(kept == [b"0123456", b"89abcde"], &format!("{kept:?} arrived"))
    })
}
