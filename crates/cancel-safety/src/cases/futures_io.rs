//! Reads and writes of `futures` and `futures-lite`.

use drop_at_await::Report;
use futures::StreamExt;
use futures::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::of;
use crate::case::Case;
use crate::case::Claim::Nothing;
use crate::case::Invariant::Bytes;
use crate::tools::{MESSAGE, alone, check, now, reads, whole_message};

const FUTURES: &str = "futures-util/src/io/mod.rs";
const LITE: &str = "futures-lite/src/io.rs";
const FED: &str = "16 bytes, fed one by one";
const KEPT: &str = "16 bytes into a buffer that is kept";
const LINES: &str = "2 lines into one buffer, fed byte by byte";
const DRAINED: &str = "16 bytes, room for 3";
const PIPED: &str = "16 bytes, fed 5 at a time, room for 3";

type Near = Compat<DuplexStream>;

pub(super) fn cases() -> Vec<Case> {
    [reading_cases(), writing_cases(), lite_cases()].into_iter().flatten().collect()
}

fn reading_cases() -> Vec<Case> {
    let read = |item| of("futures", item, "futures/io/trait.AsyncReadExt.html");
    let buffered = |item| of("futures", item, "futures/io/trait.AsyncBufReadExt.html");
    vec![
        read("io::AsyncReadExt::read")
            .says(Nothing, FUTURES, "fn read<'a>(")
            .moving(FED, Bytes)
            .keeps(read_some),
        read("io::AsyncReadExt::read_exact")
            .says(Nothing, FUTURES, "fn read_exact<'a>(")
            .moving(FED, Bytes)
            .loses("the bytes read so far", read_exact),
        read("io::AsyncReadExt::read_to_end")
            .says(Nothing, FUTURES, "fn read_to_end<'a>(")
            .moving(KEPT, Bytes)
            .keeps(read_to_end),
        read("io::AsyncReadExt::read_to_string")
            .says(Nothing, FUTURES, "fn read_to_string<'a>(")
            .moving(KEPT, Bytes)
            .loses("the bytes read so far, and what the `String` held before", read_to_string)
            .found("futures-read-to-string-empties-the-buffer.md"),
        buffered("io::AsyncBufReadExt::read_until")
            .says(Nothing, FUTURES, "fn read_until<'a>(")
            .moving(LINES, Bytes)
            .keeps(read_until),
        buffered("io::AsyncBufReadExt::read_line")
            .says(Nothing, FUTURES, "fn read_line<'a>(")
            .moving(LINES, Bytes)
            .loses("the line so far", read_line)
            .found("futures-read-to-string-empties-the-buffer.md"),
        buffered("io::AsyncBufReadExt::lines, then next")
            .says(Nothing, FUTURES, "fn lines(self)")
            .moving("2 lines, fed byte by byte", Bytes)
            .keeps(lines),
    ]
}

fn writing_cases() -> Vec<Case> {
    let write = |item| of("futures", item, "futures/io/trait.AsyncWriteExt.html");
    vec![
        write("io::AsyncWriteExt::write")
            .says(Nothing, FUTURES, "fn write<'a>(")
            .moving(DRAINED, Bytes)
            .keeps(write_some),
        write("io::AsyncWriteExt::write_all")
            .says(Nothing, FUTURES, "fn write_all<'a>(")
            .moving(DRAINED, Bytes)
            .loses("the count of bytes written: a retry repeats them", write_all),
        of("futures", "io::copy", "futures/io/fn.copy.html")
            .says(Nothing, "futures-util/src/io/copy.rs", "pub fn copy<R, W>(")
            .moving(PIPED, Bytes)
            .loses("the bytes read and not yet written", copy)
            .found("tokio-copy-loses-bytes.md"),
        of("futures", "io::copy_buf", "futures/io/fn.copy_buf.html")
            .says(Nothing, "futures-util/src/io/copy_buf.rs", "pub fn copy_buf<R, W>(")
            .moving(PIPED, Bytes)
            .keeps(copy_buf),
    ]
}

fn lite_cases() -> Vec<Case> {
    let read = |item| of("futures-lite", item, "futures_lite/io/trait.AsyncReadExt.html");
    let buffered = |item| of("futures-lite", item, "futures_lite/io/trait.AsyncBufReadExt.html");
    vec![
        read("io::AsyncReadExt::read_exact")
            .says(Nothing, LITE, "fn read_exact<'a>(")
            .moving(FED, Bytes)
            .loses("the bytes read so far", lite_read_exact),
        read("io::AsyncReadExt::read_to_string")
            .says(Nothing, LITE, "fn read_to_string<'a>(")
            .moving("16 bytes, then the end", Bytes)
            .loses("the bytes read so far", lite_read_to_string),
        buffered("io::AsyncBufReadExt::read_line")
            .says(Nothing, LITE, "fn read_line<'a>(")
            .moving("2 lines, fed byte by byte", Bytes)
            .loses("the line so far", lite_read_line),
        of("futures-lite", "io::copy", "futures_lite/io/fn.copy.html")
            .says(Nothing, LITE, "pub async fn copy<R, W>(")
            .moving(PIPED, Bytes)
            .loses("the bytes read and not yet written", lite_copy)
            .found("tokio-copy-loses-bytes.md"),
    ]
}

/// Writes bytes that have room.
fn feed(far: &mut DuplexStream, bytes: &[u8]) -> bool {
    now(far.write_all(bytes)).is_some()
}

/// Takes what there is to read.
fn drain(far: &mut DuplexStream, arrived: &mut Vec<u8>) -> bool {
    now(far.read_buf(arrived)).is_some_and(|read| read.is_ok_and(|count| count > 0))
}

/// Reads with one of the functions that return what they read.
fn reading(mut read: impl AsyncFnMut(&mut Near) -> Option<Vec<u8>>) -> Report {
    alone(|run| {
        let (near, mut far) = duplex(64);
        let mut near = near.compat();
        reads(run, async || read(&mut near).await, |bytes| feed(&mut far, bytes))
    })
}

fn read_some() -> Report {
    reading(async |near| {
        let mut buf = [0; 8];
        let count = AsyncReadExt::read(near, &mut buf).await.ok()?;
        Some(buf[..count].to_vec())
    })
}

fn read_exact() -> Report {
    reading(async |near| {
        let mut buf = [0; 4];
        AsyncReadExt::read_exact(near, &mut buf).await.ok()?;
        Some(buf.to_vec())
    })
}

fn lite_read_exact() -> Report {
    reading(async |near| {
        let mut buf = [0; 4];
        futures_lite::io::AsyncReadExt::read_exact(near, &mut buf).await.ok()?;
        Some(buf.to_vec())
    })
}

/// Reads to the end into a buffer that is kept, which begins with the first four bytes.
macro_rules! reading_to_end {
    ($kept:ident: $new:expr, $near:ident => $read:expr) => {
        alone(|run| {
            let (near, far) = duplex(64);
            let (mut $near, mut far, mut $kept) = (near.compat(), Some(far), $new);
            drop(run.retry(
                async || $read.await,
                |fed| match (far.as_mut(), MESSAGE.get(fed + 4)) {
                    (Some(far), Some(byte)) => feed(far, &[*byte]),
                    (open, _) => open.is_some() && far.take().is_some(),
                },
            ));
            whole_message($kept.as_ref())
        })
    };
}

/// Reads two lines with a function that appends a line to what is kept.
macro_rules! appending_lines {
    ($kept:ident: $new:expr, $near:ident => $read:expr) => {
        alone(|run| {
            let (near, mut far) = duplex(64);
            let (mut $near, mut $kept) = (BufReader::new(near.compat()), $new);
            let mut bytes = TWO_LINES.iter();
            for _ in 0..2 {
                drop(run.retry(
                    async || $read.await,
                    |_| bytes.next().is_some_and(|byte| feed(&mut far, &[*byte])),
                ));
            }
            let kept: &[u8] = $kept.as_ref();
            check(kept == TWO_LINES, &format!("{:?} arrived", String::from_utf8_lossy(kept)))
        })
    };
}

const TWO_LINES: &[u8] = b"0123456\n89abcde\n";

fn read_until() -> Report {
    appending_lines!(kept: Vec::new(), near => AsyncBufReadExt::read_until(&mut near, b'\n', &mut kept))
}

fn read_line() -> Report {
    appending_lines!(kept: String::new(), near => AsyncBufReadExt::read_line(&mut near, &mut kept))
}

fn lines() -> Report {
    alone(|run| {
        let (near, mut far) = duplex(64);
        let mut lines = BufReader::new(near.compat()).lines();
        let (mut bytes, mut kept) = (TWO_LINES.iter(), Vec::new());
        for _ in 0..2 {
            let line = run.retry(
                async || StreamExt::next(&mut lines).await.and_then(Result::ok),
                |_| bytes.next().is_some_and(|byte| feed(&mut far, &[*byte])),
            );
            kept.extend(line.completed().flatten());
        }
        check(kept == ["0123456", "89abcde"], &format!("{kept:?} arrived"))
    })
}

fn read_to_end() -> Report {
    reading_to_end!(kept: b"0123".to_vec(), near => AsyncReadExt::read_to_end(&mut near, &mut kept))
}

fn read_to_string() -> Report {
    reading_to_end!(kept: "0123".to_owned(), near => AsyncReadExt::read_to_string(&mut near, &mut kept))
}

// The functions of futures-lite do not append to what is there, as they say they do: each call gets an empty buffer.

fn lite_read_to_string() -> Report {
    alone(|run| {
        let (near, far) = duplex(64);
        let (mut near, mut far) = (near.compat(), Some(far));
        let read = async || {
            let mut text = String::new();
            futures_lite::io::AsyncReadExt::read_to_string(&mut near, &mut text).await.ok()?;
            Some(text)
        };
        let outcome = run.retry(read, |fed| match (far.as_mut(), MESSAGE.get(fed)) {
            (Some(far), Some(byte)) => feed(far, &[*byte]),
            (open, _) => open.is_some() && far.take().is_some(),
        });
        whole_message(outcome.completed().flatten().unwrap_or_default().as_bytes())
    })
}

fn lite_read_line() -> Report {
    alone(|run| {
        let (near, mut far) = duplex(64);
        let (mut near, mut bytes, mut kept) =
            (BufReader::new(near.compat()), TWO_LINES.iter(), String::new());
        for _ in 0..2 {
            let read = async || {
                let mut line = String::new();
                futures_lite::io::AsyncBufReadExt::read_line(&mut near, &mut line).await.ok()?;
                Some(line)
            };
            let line = run.retry(read, |_| bytes.next().is_some_and(|byte| feed(&mut far, &[*byte])));
            kept.extend(line.completed().flatten());
        }
        check(kept.as_bytes() == TWO_LINES, &format!("{kept:?} arrived"))
    })
}

/// Writes with `write`, which gets the part that is still to be written and returns how much of it was.
fn writing(mut write: impl AsyncFnMut(&mut Near, &[u8]) -> usize) -> Report {
    alone(|run| {
        let (near, mut far) = duplex(3);
        let (mut near, mut written, mut arrived) = (near.compat(), 0, Vec::new());
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

fn write_some() -> Report {
    writing(async |near, rest| AsyncWriteExt::write(near, rest).await.unwrap_or_default())
}

fn write_all() -> Report {
    writing(async |near, rest| AsyncWriteExt::write_all(near, rest).await.map_or(0, |()| rest.len()))
}

/// Copies the message from one stream into another, again after a drop.
fn copying(mut copy: impl AsyncFnMut(&mut BufReader<Near>, &mut Near)) -> Report {
    alone(|run| {
        let ((reader, source), (writer, mut sink)) = (duplex(64), duplex(3));
        let (mut reader, mut writer) = (BufReader::new(reader.compat()), writer.compat());
        let (mut source, mut rest, mut arrived) = (Some(source), MESSAGE.chunks(5), Vec::new());
        drop(run.retry(
            async || copy(&mut reader, &mut writer).await,
            |_| {
                drain(&mut sink, &mut arrived)
                    || match rest.next() {
                        Some(part) => source.as_mut().is_some_and(|source| feed(source, part)),
                        None => source.take().is_some(),
                    }
            },
        ));
        while drain(&mut sink, &mut arrived) {}
        whole_message(&arrived)
    })
}

fn copy() -> Report {
    copying(async |reader, writer| drop(futures::io::copy(reader.get_mut(), writer).await))
}

fn copy_buf() -> Report {
    copying(async |reader, writer| drop(futures::io::copy_buf(reader, writer).await))
}

fn lite_copy() -> Report {
    copying(async |reader, writer| drop(futures_lite::io::copy(reader.get_mut(), writer).await))
}
