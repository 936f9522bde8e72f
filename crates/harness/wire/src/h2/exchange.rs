//! One request and what has come of it.

use std::time::Instant;

use derive_more::Display;

use super::code::Code;
use super::flow::Window;
use super::hpack::Field;
use super::message::{self, Malformed};
use super::stream::State;
use crate::connection::End;
use crate::response::Response;

/// The ways in which a stream ends for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
pub enum Ending {
    /// The server ended its answer: END_STREAM.
    #[display("END_STREAM")]
    Complete,
    /// The server reset it before that.
    #[display("RST_STREAM {_0}")]
    Reset(Code),
    /// The client reset it before that.
    #[display("the client's own RST_STREAM {_0}")]
    Canceled(Code),
    /// The server said GOAWAY, and the stream is not among those it takes.
    #[display("GOAWAY {_0} before its stream")]
    NotTaken(Code),
    /// The connection ended before that.
    #[display("{_0} of the connection")]
    Lost(End),
}

/// One request and what has come of it.
#[derive(Debug)]
pub struct Exchange {
    /// The state of its stream.
    pub state: State,
    /// Just before its first byte was handed to the kernel, so that no answer can look early.
    pub sent_at: Instant,
    /// The window for the rest of the client's body.
    pub sending: Window,
    /// The window for the rest of the answer's body.
    pub receiving: Window,
    /// The bytes of its body whose window the server has not been given back.
    pub owed: usize,
    /// Statuses of interim responses.
    pub interim: Vec<u16>,
    /// The status and the headers of the answer.
    pub head: Option<(u16, Vec<(String, String)>)>,
    /// The trailers, if there are any.
    pub trailers: Vec<(String, String)>,
    /// The body so far.
    pub body: Vec<u8>,
    /// When the head of the answer was here.
    pub first_byte_at: Option<Instant>,
    /// When the first and the last part of the body so far were here.
    pub body_at: Option<(Instant, Instant)>,
    /// The end of the stream, and its time here.
    pub ended: Option<(Ending, Instant)>,
    /// The server's RST_STREAM, also one that came behind a whole answer.
    pub reset: Option<(Code, Instant)>,
    /// True for HEAD: the answer announces a body and has none.
    pub head_only: bool,
}

impl Exchange {
    /// An exchange whose first frame is sent at `sent_at`, with these windows.
    pub fn new(sent_at: Instant, sending: Window, receiving: Window) -> Self {
        Self {
            state: State::Idle,
            sent_at,
            sending,
            receiving,
            owed: 0,
            interim: Vec::new(),
            head: None,
            trailers: Vec::new(),
            body: Vec::new(),
            first_byte_at: None,
            body_at: None,
            ended: None,
            reset: None,
            head_only: false,
        }
    }

    /// Takes the fields of a head or of trailers, which `ends` the stream or not.
    ///
    /// # Errors
    /// When they are malformed, or may not stand there.
    pub fn fields(&mut self, fields: &[Field], ends: bool, at: Instant) -> Result<(), Malformed> {
        if self.head.is_some() {
            if !ends {
                return Err(Malformed::Field("trailers that do not end the stream".into()));
            }
            self.trailers = message::trailers(fields)?;
        } else {
            let (status, headers) = message::head(fields)?;
            match status {
                100..200 if ends => return Err(Malformed::Status),
                100..200 => self.interim.push(status),
                _ => {
                    self.head = Some((status, headers));
                    self.first_byte_at = Some(at);
                }
            }
        }
        if ends { self.complete(at) } else { Ok(()) }
    }

    /// Takes a part of the body, which `ends` the stream or not.
    ///
    /// # Errors
    /// When there is no head before it, or the body is not as long as was announced.
    pub fn data(&mut self, part: &[u8], ends: bool, at: Instant) -> Result<(), Malformed> {
        if self.head.is_none() {
            return Err(Malformed::Status);
        }
        if !part.is_empty() {
            self.body.extend_from_slice(part);
            self.body_at = Some((self.body_at.map_or(at, |(first, _)| first), at));
        }
        if ends { self.complete(at) } else { Ok(()) }
    }

    fn complete(&mut self, at: Instant) -> Result<(), Malformed> {
        if let (Some((_, headers)), false) = (&self.head, self.head_only) {
            message::length(headers, self.body.len())?;
        }
        self.end(Ending::Complete, at);
        Ok(())
    }

    /// Takes the server's RST_STREAM.
    pub fn reset(&mut self, code: Code, at: Instant) {
        self.reset.get_or_insert((code, at));
        self.end(Ending::Reset(code), at);
    }

    /// Notes how the stream ended, unless it had ended before.
    pub fn end(&mut self, how: Ending, at: Instant) {
        self.ended.get_or_insert((how, at));
    }

    /// The answer as far as it has come, if its head has.
    pub fn response(&self) -> Option<Response> {
        let (status, headers) = self.head.as_ref()?;
        let whole = matches!(self.ended, Some((Ending::Complete, _)));
        Some(Response {
            status: *status,
            is_http10: false,
            headers: headers.clone(),
            body: self.body.clone(),
            whole,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn exchange() -> Exchange {
        Exchange::new(Instant::now(), Window::default(), Window::default())
    }

    fn fields(text: &[(&str, &str)]) -> Vec<Field> {
        text.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_head_and_a_body_are_a_whole_response() {
        let mut exchange = exchange();
        let at = |ms| exchange.sent_at + Duration::from_millis(ms);
        let (one, two, three, four) = (at(1), at(2), at(3), at(4));
        let head = fields(&[(":status", "200"), ("content-length", "5")]);
        exchange.fields(&head, false, one).unwrap();
        exchange.data(b"ab", false, two).unwrap();
        exchange.data(b"cde", false, three).unwrap();
        assert!(!exchange.response().unwrap().whole);
        exchange.data(b"", true, four).unwrap();
        let response = exchange.response().unwrap();
        assert_eq!((response.status, response.body.as_slice(), response.whole), (200, &b"abcde"[..], true));
        assert_eq!(exchange.first_byte_at, Some(one));
        assert_eq!(exchange.body_at, Some((two, three)));
        assert_eq!(exchange.ended, Some((Ending::Complete, four)));
    }

    #[test]
    fn interim_responses_and_trailers_stand_around_the_answer() {
        let mut exchange = exchange();
        let now = exchange.sent_at;
        exchange.fields(&fields(&[(":status", "103")]), false, now).unwrap();
        exchange.fields(&fields(&[(":status", "200")]), false, now).unwrap();
        exchange.fields(&fields(&[("sum", "9")]), true, now).unwrap();
        assert_eq!((exchange.interim.as_slice(), exchange.trailers.len()), ([103].as_slice(), 1));
        assert!(exchange.response().unwrap().whole);
    }

    #[test]
    fn what_may_not_stand_there_is_malformed() {
        let now = Instant::now();
        assert!(exchange().data(b"x", false, now).is_err(), "a body without a head");
        assert!(exchange().fields(&fields(&[(":status", "100")]), true, now).is_err(), "an interim end");
        let mut answered = exchange();
        answered.fields(&fields(&[(":status", "200")]), false, now).unwrap();
        assert!(answered.fields(&fields(&[("a", "b")]), false, now).is_err(), "trailers that go on");
        let mut short = exchange();
        short.fields(&fields(&[(":status", "200"), ("content-length", "5")]), false, now).unwrap();
        assert!(short.data(b"ab", true, now).is_err(), "a body cut short");
    }

    #[test]
    fn an_answer_to_head_announces_a_body_and_has_none() {
        let mut exchange = Exchange { head_only: true, ..exchange() };
        let head = fields(&[(":status", "200"), ("content-length", "5")]);
        assert_eq!(exchange.fields(&head, true, Instant::now()), Ok(()));
    }

    #[test]
    fn a_reset_behind_a_whole_answer_does_not_change_how_it_ended() {
        let mut exchange = exchange();
        let now = exchange.sent_at;
        exchange.fields(&fields(&[(":status", "504")]), true, now).unwrap();
        exchange.reset(Code::NO_ERROR, now);
        assert_eq!(exchange.ended, Some((Ending::Complete, now)));
        assert_eq!(exchange.reset, Some((Code::NO_ERROR, now)));
    }

    #[test]
    fn an_ending_names_its_frame() {
        assert_eq!(Ending::Complete.to_string(), "END_STREAM");
        assert_eq!(Ending::Reset(Code::CANCEL).to_string(), "RST_STREAM CANCEL");
        assert_eq!(Ending::NotTaken(Code::NO_ERROR).to_string(), "GOAWAY NO_ERROR before its stream");
        assert_eq!(Ending::Lost(End::Fin).to_string(), "FIN of the connection");
    }
}
