//! Bytes lost or repeated on a stream.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use drop_at_await::{Checker, Report};

use crate::Form;

/// A pipe of so many bytes, whose other side is the peer.
struct Pipe {
    room: usize,
    bytes: RefCell<VecDeque<u8>>,
    waiting: RefCell<Option<Waker>>,
}

impl Pipe {
    fn new(room: usize) -> Self {
        Self { room, bytes: RefCell::default(), waiting: RefCell::default() }
    }

    /// Waits for at least one byte, and reads what fits into `buf`.
    async fn read(&self, buf: &mut [u8]) -> usize {
        poll_fn(|cx| {
            let mut bytes = self.bytes.borrow_mut();
            if bytes.is_empty() {
                self.waiting.replace(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            let read = bytes.len().min(buf.len());
            buf.iter_mut().zip(bytes.drain(..read)).for_each(|(place, byte)| *place = byte);
            Poll::Ready(read)
        })
        .await
    }

    /// Waits for room, writes the part of `buf` that fits, and returns its length.
    async fn write(&self, buf: &[u8]) -> usize {
        poll_fn(|cx| {
            let mut bytes = self.bytes.borrow_mut();
            let written = (self.room - bytes.len()).min(buf.len());
            if written == 0 {
                self.waiting.replace(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            bytes.extend(&buf[..written]);
            Poll::Ready(written)
        })
        .await
    }

    /// Puts bytes in, as the peer.
    fn put(&self, bytes: &[u8]) {
        self.bytes.borrow_mut().extend(bytes);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// Takes all bytes out, as the peer.
    fn take(&self) -> Vec<u8> {
        let taken = self.bytes.borrow_mut().drain(..).collect();
        self.waiting.take().into_iter().for_each(Waker::wake);
        taken
    }
}

/// Checks that the bytes are those of the message, in order and each once.
fn is_message(message: &[u8], bytes: &[u8]) -> Result<(), String> {
    if bytes == message { Ok(()) } else { Err(format!("{bytes:?} instead of {message:?}")) }
}

pub(crate) fn read_exact_into_a_local(form: Form) -> Report {
    Checker::new().check(|run| {
        let pipe = Pipe::new(8);
        let mut kept = Vec::new();
        let outcome = run.retry(
            async || {
                let mut local = Vec::new();
                let progress = if form == Form::Unsafe { &mut local } else { &mut kept };
                while progress.len() < 3 {
                    let mut byte = [0; 2];
                    let read = pipe.read(&mut byte[..(3 - progress.len()).min(2)]).await;
                    progress.extend(&byte[..read]);
                }
                progress.clone()
            },
            |step| {
                // As much as makes a retry complete, whatever was lost.
                pipe.put(&[[1, 2], [3, 4], [5, 6]][step]);
                step < 3
            },
        );
        is_message(&[1, 2, 3], &outcome.completed().unwrap_or_default())
    })
}

pub(crate) fn write_all_starts_over(form: Form) -> Report {
    Checker::new().check(|run| {
        let pipe = Pipe::new(2);
        let mut written = 0;
        let mut arrived = Vec::new();
        let outcome = run.retry(
            async || {
                if form == Form::Unsafe {
                    written = 0;
                }
                while written < 3 {
                    written += pipe.write(&[1, 2, 3][written..]).await;
                }
            },
            |_| {
                arrived.extend(pipe.take());
                true
            },
        );
        assert!(outcome.completed().is_some());
        arrived.extend(pipe.take());
        is_message(&[1, 2, 3], &arrived)
    })
}

pub(crate) fn read_line_takes_the_buffer(form: Form) -> Report {
    Checker::new().check(|run| {
        let pipe = Pipe::new(8);
        pipe.put(b"ab");
        let mut buffer = Vec::new();
        let outcome = run.retry(
            async || {
                // The unsafe form works on the buffer's content, and gives it back at its end.
                let mut local = if form == Form::Unsafe { std::mem::take(&mut buffer) } else { Vec::new() };
                let line = if form == Form::Unsafe { &mut local } else { &mut buffer };
                while !line.ends_with(b"\n") {
                    let mut bytes = [0; 2];
                    let read = pipe.read(&mut bytes).await;
                    line.extend(&bytes[..read]);
                }
                let line = line.clone();
                buffer = line;
            },
            |_| {
                pipe.put(b"c\n");
                true
            },
        );
        assert!(outcome.completed().is_some());
        is_message(b"abc\n", &buffer)
    })
}
