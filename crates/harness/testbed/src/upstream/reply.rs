//! Replies as steps: what is sent, when, and what then becomes of the connection.

use std::collections::VecDeque;
use std::time::Duration;

/// The upstream's reply to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// The shape of the answer.
    pub shape: Shape,
    /// The time from the whole request to the beginning of the answer.
    pub after: Duration,
    /// True when the body is read, before the answer and while it is owed.
    pub reads: bool,
    /// True when the answer begins only when the body is whole.
    pub awaits: bool,
    /// True when the connection is closed, without the rest of the answer, once the intermediary has ended it.
    pub minds: bool,
    /// True when `Expect: 100-continue` is answered by `100 Continue`.
    pub continues: bool,
}

/// The parts of an answer, and the end of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Head and body at once, with a `Content-Length`.
    Whole,
    /// Nothing, ever.
    Nothing,
    /// The head and half of the body that it announces, and nothing more.
    Half,
    /// The head and half of the body; the other half after this long.
    Halves(Duration),
    /// The head and half of the body; then the connection is closed.
    HalfThenClose,
    /// The head and half of the body; then the connection is reset.
    HalfThenReset,
    /// The connection is closed without an answer.
    Close,
    /// The connection is reset without an answer.
    Reset,
    /// An event stream in chunks, an event each time that this has passed; the last of `count` ends it.
    Events {
        /// From one event to the next.
        every: Duration,
        /// The number of events; `None` goes on for ever.
        count: Option<u32>,
    },
    /// An event stream that stalls after so many events.
    StalledEvents {
        /// From one event to the next.
        every: Duration,
        /// The number of events.
        count: u32,
    },
    /// An event stream that is closed after so many events without its last chunk.
    CutEvents {
        /// From one event to the next.
        every: Duration,
        /// The number of events.
        count: u32,
    },
    /// A chunked body of [`FLOOD`] bytes without an end, as fast as the connection takes it.
    Flood,
    /// A chunked body of so many bytes at once.
    Large(usize),
}

impl Reply {
    /// An answer at once.
    pub const WHOLE: Self = Self {
        shape: Shape::Whole,
        after: Duration::ZERO,
        reads: true,
        awaits: true,
        minds: true,
        continues: true,
    };

    /// No answer, ever.
    pub const NOTHING: Self = Self { shape: Shape::Nothing, ..Self::WHOLE };

    /// An answer of this shape, begun at once.
    pub const fn of(shape: Shape) -> Self {
        Self { shape, ..Self::WHOLE }
    }

    /// A whole answer after this long.
    pub const fn late(after: Duration) -> Self {
        Self { after, ..Self::WHOLE }
    }

    /// An event stream without an end, an event each time that `every` has passed.
    pub const fn events(every: Duration) -> Self {
        Self::of(Shape::Events { every, count: None })
    }
}

/// One step of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Waits until the request's body is whole.
    Body,
    /// Waits this long.
    Wait(Duration),
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes, and again each time that this span has passed, without an end.
    Repeat(Vec<u8>, Duration),
    /// Sends these bytes as often as the connection takes them, at most so many times, and then waits for ever.
    Flood(Vec<u8>, usize),
    /// Waits for ever.
    Hold,
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
}

/// Bytes of one chunk of a flood.
const CHUNK: usize = 16 * 1024;

/// Bytes of a whole flood. An intermediary that takes as many while its client reads nothing knows no bound.
pub const FLOOD: usize = 64 << 20;

/// The answer to the request of that id, in steps; `closes` says so in its head.
pub(super) fn steps(reply: Reply, id: &str, closes: bool) -> VecDeque<Step> {
    let mut steps = VecDeque::new();
    if reply.awaits {
        steps.push_back(Step::Body);
    }
    if !reply.after.is_zero() {
        steps.push_back(Step::Wait(reply.after));
    }
    let body = body(id);
    let (first, rest) = body.split_at(body.len() / 2);
    let whole = head("application/json", &format!("Content-Length: {}", body.len()), closes);
    let half = Step::Send([whole.as_slice(), first].concat());
    let stream = Step::Send(head("text/event-stream", "Transfer-Encoding: chunked", closes));
    let binary = head("application/octet-stream", "Transfer-Encoding: chunked", closes);
    let events = |count: u32, every: Duration| {
        (0..count).flat_map(move |number| [Step::Send(chunk(&event(number))), Step::Wait(every)])
    };
    match reply.shape {
        Shape::Whole => steps.push_back(Step::Send([whole, body].concat())),
        Shape::Nothing => steps.push_back(Step::Hold),
        Shape::Half => steps.extend([half, Step::Hold]),
        Shape::Halves(apart) => steps.extend([half, Step::Wait(apart), Step::Send(rest.to_vec())]),
        Shape::HalfThenClose => steps.extend([half, Step::Close]),
        Shape::HalfThenReset => steps.extend([half, Step::Reset]),
        Shape::Close => steps.push_back(Step::Close),
        Shape::Reset => steps.push_back(Step::Reset),
        Shape::Events { every, count: None } => {
            steps.extend([stream, Step::Repeat(chunk(&event(0)), every)]);
        }
        Shape::Events { every, count: Some(count) } => {
            steps.push_back(stream);
            steps.extend(events(count, every));
            steps.push_back(Step::Send([chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n".to_vec()].concat()));
        }
        Shape::CutEvents { every, count } | Shape::StalledEvents { every, count } => {
            steps.push_back(stream);
            steps.extend(events(count, every));
            let cut = matches!(reply.shape, Shape::CutEvents { .. });
            steps.push_back(if cut { Step::Close } else { Step::Hold });
        }
        Shape::Flood => steps.extend([Step::Send(binary), Step::Flood(chunk(&[b'x'; CHUNK]), FLOOD / CHUNK)]),
        Shape::Large(length) => {
            let bytes = [binary, chunk(&vec![b'x'; length]), b"0\r\n\r\n".to_vec()].concat();
            steps.push_back(Step::Send(bytes));
        }
    }
    steps
}

/// The body of a whole answer: it names the request, and a gateway for models takes it for a completion.
fn body(id: &str) -> Vec<u8> {
    format!(
        "{{\"id\":\"{id}\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"lab\",\"choices\":[{{\"index\":0,\
         \"message\":{{\"role\":\"assistant\",\"content\":\"{id}\"}},\"finish_reason\":\"stop\"}}],\
         \"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}}}\n"
    )
    .into_bytes()
}

fn event(number: u32) -> Vec<u8> {
    format!(
        "data: {{\"id\":\"event\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"lab\",\
         \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"event {number}\"}},\"finish_reason\":null}}]}}\n\n"
    )
    .into_bytes()
}

fn head(kind: &str, framing: &str, closes: bool) -> Vec<u8> {
    let close = if closes { "Connection: close\r\n" } else { "" };
    // Nothing may be kept by a cache: the next request of the same path would not come here.
    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n{framing}\r\n{close}\r\n")
        .into_bytes()
}

fn chunk(data: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(shape: Shape) -> Vec<u8> {
        let sends = steps(Reply::of(shape), "a-1", false).into_iter().map(|step| match step {
            Step::Send(bytes) => bytes,
            _ => Vec::new(),
        });
        sends.flatten().collect()
    }

    #[test]
    fn a_whole_answer_names_its_request_and_parses() {
        let bytes = sent(Shape::Whole);
        let (response, used) = wire::response::parse(&bytes, false, false).unwrap().unwrap();
        assert_eq!((response.status, used, response.field("id")), (200, bytes.len(), Some("a-1".to_owned())));
    }

    #[test]
    fn half_an_answer_is_not_whole_and_two_halves_are() {
        let (half, _) = wire::response::parse(&sent(Shape::Half), true, false).unwrap().unwrap();
        assert!(!half.whole && !half.body.is_empty());
        assert_eq!(sent(Shape::Halves(Duration::ZERO)), sent(Shape::Whole));
    }

    #[test]
    fn a_stream_that_is_counted_ends_and_a_cut_one_does_not() {
        let counted = sent(Shape::Events { every: Duration::ZERO, count: Some(2) });
        let (response, _) = wire::response::parse(&counted, false, false).unwrap().unwrap();
        assert_eq!(response.text().matches("data: ").count(), 3);
        let cut = sent(Shape::CutEvents { every: Duration::ZERO, count: 2 });
        assert!(!wire::response::parse(&cut, true, false).unwrap().unwrap().0.whole);
    }
}
