use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::*;
use crate::Request;
use crate::h2::hpack;
use crate::h2::settings::id;
use crate::h2::{Code, Ending, Manners};

/// The server's end of a connection, which does as the test says.
struct Double {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Double {
    /// Starts a server that takes one connection and reads the preface.
    fn start(script: impl FnOnce(Self) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut preface = [0; PREFACE.len()];
            stream.read_exact(&mut preface).unwrap();
            assert_eq!(preface, PREFACE);
            script(Self { stream, buffer: Vec::new() });
        });
        (address, thread)
    }

    /// The same, and both sides have announced and acknowledged their settings.
    fn opened(
        settings: &'static [(u16, u32)],
        script: impl FnOnce(&mut Self) + Send + 'static,
    ) -> (SocketAddr, JoinHandle<()>) {
        Self::start(move |mut double| {
            assert_eq!(double.next().kind, Kind::SETTINGS);
            double.send(&[Frame::settings(settings), Frame::settings_ack()]);
            assert_eq!(double.next(), Frame::settings_ack());
            script(&mut double);
        })
    }

    fn send(&mut self, frames: &[Frame]) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        self.stream.write_all(&bytes).unwrap();
    }

    /// The next frame of the client.
    fn next(&mut self) -> Frame {
        self.try_next().expect("the client sends a frame")
    }

    /// The next frame of the client; none when it has closed.
    fn try_next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, used)) = frame::cut(&self.buffer, frame::LARGEST).unwrap() {
                self.buffer.drain(..used);
                return Some(frame);
            }
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
            self.buffer.extend_from_slice(&chunk[..read]);
        }
    }
}

/// Longer than anything here takes on the busiest machine.
const MINUTE: Duration = Duration::from_secs(60);

fn in_a_minute() -> Instant {
    Instant::now() + MINUTE
}

fn connect(to: SocketAddr) -> H2 {
    H2::connect(to, in_a_minute(), &Trace::default()).unwrap()
}

fn head(stream: u32, status: &str, ends: bool) -> Frame {
    Frame::headers(stream, hpack::block([(":status", status)]), ends)
}

#[test]
fn a_request_is_sent_and_its_answer_read() {
    let (to, server) = Double::opened(&[], |double| {
        let request = double.next();
        assert!(request.ends_stream() && request.stream == 1);
        let fields = Decoder::new(0).decode(&request.payload, 1_000).unwrap();
        assert_eq!(fields[3], (b":path".to_vec(), b"/fast".to_vec()));
        double.send(&[head(1, "200", false), Frame::data(1, *b"fast", true)]);
    });
    let answer = connect(to).ask(&Request::get("/fast")).unwrap();
    assert_eq!((answer.status(), answer.response.text(), answer.response.whole), (200, "fast".into(), true));
    assert!(answer.sent_at <= answer.first_byte_at && answer.first_byte_at <= answer.done_at);
    server.join().unwrap();
}

#[test]
fn streams_are_answered_in_any_order() {
    let (to, server) = Double::opened(&[], |double| {
        assert_eq!((double.next().stream, double.next().stream), (1, 3));
        double.send(&[head(3, "200", true), head(1, "504", true)]);
    });
    let mut h2 = connect(to);
    let (slow, fast) =
        (h2.request(&Request::get("/slow")).unwrap(), h2.request(&Request::get("/fast")).unwrap());
    assert_eq!(h2.answer(slow).unwrap().status(), 504);
    assert_eq!(h2.answer(fast).unwrap().status(), 200);
    server.join().unwrap();
}

#[test]
fn a_stream_that_is_reset_has_no_answer_and_says_why() {
    let (to, server) = Double::opened(&[], |double| {
        double.next();
        double.send(&[Frame::reset(1, Code::REFUSED_STREAM)]);
        double.next();
        double.send(&[head(3, "200", false), Frame::reset(3, Code::CANCEL)]);
    });
    let mut h2 = connect(to);
    let error = h2.ask(&Request::get("/slow")).unwrap_err();
    assert!(error.to_string().starts_with("RST_STREAM REFUSED_STREAM instead of an answer"), "{error}");
    let cut = h2.ask(&Request::get("/stream")).unwrap();
    assert!(!cut.response.whole);
    assert_eq!(h2.ending(3, MINUTE).unwrap().unwrap().0, Ending::Reset(Code::CANCEL));
    server.join().unwrap();
}

#[test]
fn a_reset_of_the_client_is_sent_with_its_code() {
    let (to, server) = Double::opened(&[], |double| {
        double.next();
        assert_eq!(double.next(), Frame::reset(1, Code(0xbad)));
    });
    let mut h2 = connect(to);
    let stream = h2.request(&Request::get("/slow")).unwrap();
    let at = h2.reset(stream, Code(0xbad)).unwrap();
    assert_eq!(h2.exchange(stream).unwrap().ended, Some((Ending::Canceled(Code(0xbad)), at)));
    server.join().unwrap();
}

#[test]
fn a_body_waits_for_the_servers_window() {
    let (to, server) = Double::opened(&[(id::INITIAL_WINDOW_SIZE, 4)], |double| {
        assert!(!double.next().ends_stream());
        assert_eq!(double.next(), Frame::data(1, *b"0123", false));
        double.send(&[Frame::window_update(1, 2)]);
        assert_eq!(double.next(), Frame::data(1, *b"45", false));
        double.send(&[Frame::window_update(1, 100)]);
        assert_eq!(double.next(), Frame::data(1, *b"6789", true));
        double.send(&[head(1, "200", true)]);
    });
    let answer = connect(to).ask(&Request::post("/upload", *b"0123456789")).unwrap();
    assert_eq!(answer.status(), 200);
    server.join().unwrap();
}

#[test]
fn a_body_that_nobody_wants_any_more_is_not_sent_on() {
    let (to, server) = Double::opened(&[(id::INITIAL_WINDOW_SIZE, 0)], |double| {
        double.next();
        double.send(&[head(1, "413", true), Frame::reset(1, Code::NO_ERROR)]);
    });
    let mut h2 = connect(to);
    assert_eq!(h2.ask(&Request::post("/upload", *b"0123456789")).unwrap().status(), 413);
    server.join().unwrap();
    h2.listen(MINUTE).unwrap();
    assert_eq!(h2.exchange(1).unwrap().reset.unwrap().0, Code::NO_ERROR);
}

#[test]
fn a_request_with_a_part_of_its_body_stays_open() {
    let (to, server) = Double::opened(&[], |double| {
        assert!(!double.next().ends_stream());
        assert_eq!(double.next(), Frame::data(1, *b"part", false));
        assert_eq!(double.next(), Frame::data(1, *b"rest", true));
    });
    let mut h2 = connect(to);
    let stream = h2.request(&Request::post_part("/upload", 8, *b"part")).unwrap();
    h2.body(stream, b"rest", true).unwrap();
    server.join().unwrap();
}

#[test]
fn long_heads_go_on_in_continuations() {
    let (to, server) = Double::opened(&[], |double| {
        let (first, second) = (double.next(), double.next());
        assert_eq!((first.payload.len(), first.has(frame::flag::END_HEADERS)), (frame::MAX_PAYLOAD, false));
        assert_eq!((second.kind, second.has(frame::flag::END_HEADERS)), (Kind::CONTINUATION, true));
        let block = [first.payload, second.payload].concat();
        assert_eq!(Decoder::new(0).decode(&block, 100_000).unwrap().len(), 5);
    });
    let mut h2 = connect(to);
    h2.request(&Request::get("/fast").header("x", "y".repeat(20_000))).unwrap();
    server.join().unwrap();
}

#[test]
fn pings_and_settings_are_answered_while_something_else_is_awaited() {
    let (to, server) = Double::opened(&[], |double| {
        double.next();
        double.send(&[Frame::ping([9; 8]), Frame::settings(&[(id::MAX_CONCURRENT_STREAMS, 7)])]);
        assert_eq!((double.next(), double.next()), (Frame::ping_ack([9; 8]), Frame::settings_ack()));
        double.send(&[head(1, "200", true)]);
        let ping = double.next();
        double.send(&[Frame::ping_ack(ping.payload.try_into().unwrap())]);
    });
    let mut h2 = connect(to);
    assert_eq!(h2.ask(&Request::get("/fast")).unwrap().status(), 200);
    assert_eq!(h2.session().theirs().unwrap().max_concurrent_streams, Some(7));
    assert!(h2.ping(MINUTE).unwrap().is_some());
    server.join().unwrap();
}

#[test]
fn window_is_granted_by_hand_when_manners_say_so() {
    let (to, server) = Double::opened(&[], |double| {
        double.next();
        double.send(&[head(1, "200", false), Frame::data(1, *b"a", false)]);
        assert_eq!(double.next(), Frame::window_update(1, 1));
        double.send(&[Frame::data(1, *b"b", true)]);
    });
    let wire = Wire::connect(to, in_a_minute(), &Trace::default()).unwrap();
    let mut h2 = H2::over(wire, Manners::stingy(1)).unwrap();
    let stream = h2.request(&Request::get("/fast")).unwrap();
    assert!(h2.wait_for(MINUTE, |seen| seen.is(Kind::DATA, stream)).unwrap().is_some());
    h2.grant(stream, 1).unwrap();
    assert_eq!(h2.answer(stream).unwrap().response.body, b"ab");
    server.join().unwrap();
}

#[test]
fn a_goaway_and_the_end_of_the_connection_are_seen_apart() {
    let (to, server) = Double::opened(&[], |double| {
        double.next();
        double.send(&[Frame::goaway(0, Code::ENHANCE_YOUR_CALM, b"too many")]);
    });
    let mut h2 = connect(to);
    let stream = h2.request(&Request::get("/slow")).unwrap();
    let goaway = h2.goaway_came(MINUTE).unwrap().unwrap();
    assert_eq!((goaway.code, goaway.debug.as_slice()), (Code::ENHANCE_YOUR_CALM, b"too many".as_slice()));
    let error = h2.answer(stream).unwrap_err().to_string();
    assert!(error.starts_with("GOAWAY ENHANCE_YOUR_CALM before its stream instead of"), "{error}");
    server.join().unwrap();
    assert_eq!(h2.end(MINUTE).unwrap().0, End::Fin);
}

#[test]
fn a_connection_that_ends_takes_its_streams_along() {
    let (to, server) = Double::opened(&[], |double| drop(double.next()));
    let mut h2 = connect(to);
    let error = h2.ask(&Request::get("/slow")).unwrap_err().to_string();
    assert!(error.starts_with("FIN of the connection instead of an answer"), "{error}");
    server.join().unwrap();
}

#[test]
fn a_client_that_leaves_is_gone_for_the_server() {
    let (to, server) = Double::opened(&[], |double| {
        double.next();
        assert!(double.try_next().is_none());
    });
    let mut h2 = connect(to);
    h2.request(&Request::get("/slow")).unwrap();
    assert!(h2.leave(Leave::Fin).1.is_none());
    server.join().unwrap();
}

#[test]
fn a_server_of_another_protocol_is_told_apart_from_one_that_breaks_this() {
    let (to, server) = Double::start(|mut double| {
        double.stream.write_all(b"HTTP/1.1 505 HTTP Version Not Supported\r\n\r\n").unwrap();
    });
    let error = H2::connect(to, in_a_minute(), &Trace::default()).unwrap_err();
    assert!(matches!(error, Error::NotHttp2 { .. }), "{error}");
    server.join().unwrap();
    let (to, server) = Double::start(|mut double| double.send(&[Frame::ping([0; 8])]));
    let error = H2::connect(to, in_a_minute(), &Trace::default()).unwrap_err();
    assert!(matches!(error, Error::Violation(_)), "{error}");
    server.join().unwrap();
    let (to, server) = Double::start(drop);
    let error = H2::connect(to, in_a_minute(), &Trace::default()).unwrap_err();
    assert!(matches!(error, Error::Ended { how: End::Fin | End::Reset, .. }), "{error}");
    server.join().unwrap();
}

#[test]
fn a_server_that_says_nothing_is_silent() {
    let (to, server) = Double::start(|mut double| while double.try_next().is_some() {});
    // Long enough for a busy machine to connect and send.
    let give_up_at = Instant::now() + Duration::from_secs(1);
    let error = H2::connect(to, give_up_at, &Trace::default()).unwrap_err();
    assert!(matches!(error, Error::Silent { .. }), "{error}");
    server.join().unwrap();
}

#[test]
fn a_frame_over_the_announced_size_is_a_violation() {
    let (to, server) = Double::opened(&[], |double| {
        double.next();
        double.send(&[head(1, "200", false), Frame::data(1, vec![0; frame::MAX_PAYLOAD + 1], true)]);
        while double.try_next().is_some() {}
    });
    let error = connect(to).ask(&Request::get("/fast")).unwrap_err().to_string();
    assert_eq!(error, "the server broke HTTP/2: a frame of 16385 bytes, where at most 16384 are taken");
    server.join().unwrap();
}

#[test]
fn a_flood_ends_when_the_server_takes_no_more() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let (to, server) = Double::opened(&[], move |_| {
        let _ = stopped.recv();
    });
    let mut h2 = connect(to);
    let frames = vec![Frame::ping([0; 8]); 1_000_000];
    let sent = h2.flood(&frames, Duration::from_millis(50), false).unwrap();
    assert!((1..frames.len()).contains(&sent), "{sent}");
    drop(stop);
    server.join().unwrap();
    // What the server has closed takes nothing any more.
    h2.end(MINUTE).unwrap();
    assert!(h2.flood(&frames, MINUTE, true).unwrap() < frames.len());
}

#[test]
fn a_flood_counts_the_requests_in_it() {
    let (to, server) = Double::opened(&[], |double| while double.try_next().is_some() {});
    let mut h2 = connect(to);
    let (stream, mut frames) = h2.prepare(&Request::get("/slow"));
    frames.push(Frame::reset(stream, Code::CANCEL));
    assert_eq!(h2.flood(&frames, MINUTE, true).unwrap(), 2);
    assert!(matches!(h2.exchange(stream).unwrap().ended, Some((Ending::Canceled(Code::CANCEL), _))));
    h2.leave(Leave::Fin);
    server.join().unwrap();
}

#[test]
fn two_sides_that_both_send_do_not_wait_for_each_other() {
    // More than the kernel keeps for both sides together.
    const FRAMES: usize = 1_500;
    let payload = vec![0; frame::MAX_PAYLOAD];
    let (to, server) = Double::opened(&[], |double| {
        double.next();
        let unknown = Frame::new(Kind(0x42), 0, 0, vec![0; frame::MAX_PAYLOAD]).bytes();
        for _ in 0..FRAMES {
            double.stream.write_all(&unknown).unwrap();
        }
        while !double.next().ends_stream() {}
        double.send(&[head(1, "200", true)]);
    });
    let mut h2 = connect(to);
    let stream = h2.open(&Request::get("/upload")).unwrap();
    let mut frames = vec![Frame::data(stream, payload, false); FRAMES];
    frames.push(Frame::data(stream, [], true));
    assert_eq!(h2.flood(&frames, MINUTE, true).unwrap(), frames.len());
    assert_eq!(h2.answer(stream).unwrap().status(), 200);
    server.join().unwrap();
}

#[test]
fn the_trace_names_frames_and_fields() {
    let (to, server) = Double::opened(&[], |double| {
        double.next();
        double.send(&[head(1, "200", true)]);
    });
    let trace = Trace::default();
    let mut h2 = H2::connect(to, in_a_minute(), &trace).unwrap();
    h2.ask(&Request::get("/fast")).unwrap();
    let lines = trace.lines().join("\n");
    for text in [
        "> the preface",
        "> SETTINGS ENABLE_PUSH=0",
        "< SETTINGS ACK",
        "> HEADERS stream 1 END_STREAM|END_HEADERS, 56 bytes, :method GET, :scheme http, :authority lab, :path /fast",
        "< HEADERS stream 1 END_STREAM|END_HEADERS, 13 bytes :status 200",
    ] {
        assert!(lines.contains(text), "{text} is not in\n{lines}");
    }
    assert!(!lines.contains("PRI *"), "bytes and frames are not shown both");
    server.join().unwrap();
}
