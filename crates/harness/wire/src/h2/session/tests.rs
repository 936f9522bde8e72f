use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::h2::hpack;

/// A session whose server has announced `announced`.
fn opened(manners: Manners, announced: &[(u16, u32)]) -> Session {
    let mut session = Session::new(manners);
    session.sent(&manners.settings.frame(), Instant::now());
    session.received(&Frame::settings(announced), Instant::now()).unwrap();
    session.received(&Frame::settings_ack(), Instant::now()).unwrap();
    session
}

fn polite() -> Session {
    opened(Manners::default(), &[])
}

/// Sends a GET on the next stream.
fn get(session: &mut Session) -> u32 {
    let stream = session.open(false, Instant::now());
    session.sent(&Frame::headers(stream, [], true), Instant::now());
    stream
}

fn head(stream: u32, ends: bool) -> Frame {
    Frame::headers(stream, hpack::block([(":status", "200")]), ends)
}

fn take(session: &mut Session, frame: &Frame) -> Vec<Frame> {
    session.received(frame, Instant::now()).unwrap()
}

/// The rule that the last of `frames` breaks.
fn broken(session: &mut Session, frames: &[Frame]) -> String {
    let (last, before) = frames.split_last().unwrap();
    for frame in before {
        take(session, frame);
    }
    session.received(last, Instant::now()).unwrap_err().to_string()
}

#[test]
fn a_request_is_answered() {
    let mut session = polite();
    let stream = get(&mut session);
    assert_eq!(take(&mut session, &head(stream, false)), []);
    take(&mut session, &Frame::data(stream, *b"abc", false));
    take(&mut session, &Frame::data(stream, *b"de", true));
    let exchange = session.exchange(stream).unwrap();
    assert_eq!(exchange.response().unwrap().body, b"abcde");
    assert!(exchange.state.is_closed());
}

#[test]
fn fields_that_were_written_by_hand_open_their_stream() {
    let mut session = polite();
    session.sent(&Frame::new(Kind::HEADERS, 0, 5, [0x82]), Instant::now());
    assert_eq!(take(&mut session, &Frame::reset(5, Code::PROTOCOL_ERROR)), []);
    assert_eq!(session.open(false, Instant::now()), 7);
}

#[test]
fn window_is_given_back_when_half_of_it_is_used() {
    let mut session = polite();
    let (one, two) = (get(&mut session), get(&mut session));
    take(&mut session, &head(one, false));
    take(&mut session, &head(two, false));
    let data = |stream, ends| Frame::data(stream, vec![0; 16_384], ends);
    assert_eq!(take(&mut session, &data(one, false)), []);
    let grants = [Frame::window_update(0, 32_768), Frame::window_update(one, 32_768)];
    assert_eq!(take(&mut session, &data(one, false)), grants);
    grants.iter().for_each(|grant| session.sent(grant, Instant::now()));
    assert_eq!(take(&mut session, &data(two, false)), []);
    // A stream that has ended needs no more window, the connection does.
    assert_eq!(take(&mut session, &data(two, true)), grants[..1]);
}

#[test]
fn settings_and_pings_are_acknowledged_unless_manners_say_no() {
    let mut session = polite();
    assert_eq!(take(&mut session, &Frame::settings(&[])), [Frame::settings_ack()]);
    assert_eq!(take(&mut session, &Frame::ping([7; 8])), [Frame::ping_ack([7; 8])]);
    assert_eq!(take(&mut session, &Frame::ping_ack([7; 8])), []);
    let mut rude = opened(Manners { acks: false, ..Manners::default() }, &[]);
    assert_eq!(take(&mut rude, &Frame::settings(&[])), []);
    assert_eq!(take(&mut rude, &Frame::ping([7; 8])), []);
}

#[test]
fn a_stingy_client_grants_nothing_and_sees_what_is_sent_all_the_same() {
    let mut session = opened(Manners::stingy(2), &[]);
    let stream = get(&mut session);
    take(&mut session, &head(stream, false));
    assert_eq!(take(&mut session, &Frame::data(stream, *b"ab", false)), []);
    let error = broken(&mut session, &[Frame::data(stream, *b"c", false)]);
    assert!(error.contains("more DATA than the window holds on stream 1"), "{error}");
}

#[test]
fn a_grant_is_what_the_server_may_send_and_no_more() {
    let mut session = opened(Manners::stingy(0), &[]);
    let stream = get(&mut session);
    take(&mut session, &head(stream, false));
    session.sent(&Frame::window_update(stream, 4), Instant::now());
    take(&mut session, &Frame::data(stream, *b"abcd", false));
    // Padding counts: one byte of length and two of padding.
    session.sent(&Frame::window_update(stream, 3), Instant::now());
    take(&mut session, &Frame::new(Kind::DATA, flag::PADDED, stream, *b"\x02\0\0"));
    assert!(session.received(&Frame::data(stream, *b"e", true), Instant::now()).is_err());
}

#[test]
fn the_connections_window_holds_for_all_streams_together() {
    let mut session = opened(Manners::stingy(60_000), &[]);
    let (one, two) = (get(&mut session), get(&mut session));
    for stream in [one, two] {
        take(&mut session, &head(stream, false));
    }
    for _ in 0..3 {
        take(&mut session, &Frame::data(one, vec![0; 16_384], false));
    }
    take(&mut session, &Frame::data(two, vec![0; 16_383], false));
    let error = broken(&mut session, &[Frame::data(two, [0], false)]);
    assert!(error.ends_with("more DATA than the window holds (FLOW_CONTROL_ERROR)"), "{error}");
}

#[test]
fn a_smaller_initial_window_counts_from_its_acknowledgement_a_larger_one_at_once() {
    let mut session = opened(Manners::stingy(10), &[]);
    let stream = get(&mut session);
    let held = |session: &Session| session.exchange(stream).unwrap().receiving.available();
    session.sent(&Frame::settings(&[(id::INITIAL_WINDOW_SIZE, 4)]), Instant::now());
    assert_eq!(held(&session), 10, "what was under way may still come");
    take(&mut session, &Frame::settings_ack());
    assert_eq!(held(&session), 4);
    session.sent(&Frame::settings(&[(id::INITIAL_WINDOW_SIZE, 7)]), Instant::now());
    assert_eq!(held(&session), 7);
    take(&mut session, &Frame::settings_ack());
    assert_eq!(held(&session), 7);
}

#[test]
fn the_servers_windows_hold_what_it_granted() {
    let mut session = opened(Manners::default(), &[(id::INITIAL_WINDOW_SIZE, 5)]);
    let stream = session.open(false, Instant::now());
    session.sent(&Frame::headers(stream, [], false), Instant::now());
    let held = |session: &Session| session.exchange(stream).unwrap().sending.available();
    assert_eq!(held(&session), 5);
    session.sent(&Frame::data(stream, *b"abc", false), Instant::now());
    assert_eq!((held(&session), session.sending().available()), (2, 65_532));
    take(&mut session, &Frame::window_update(stream, 10));
    take(&mut session, &Frame::window_update(0, 3));
    assert_eq!((held(&session), session.sending().available()), (12, 65_535));
    take(&mut session, &Frame::settings(&[(id::INITIAL_WINDOW_SIZE, 0)]));
    assert_eq!(held(&session), 7, "open streams lose what a new stream has less");
    let error = broken(&mut session, &[Frame::window_update(0, 0x7fff_ffff)]);
    assert!(error.contains("overflows a window (FLOW_CONTROL_ERROR)"), "{error}");
    let error = broken(&mut session, &[Frame::window_update(stream, 0x7fff_ffff)]);
    assert!(error.contains("overflows a window on stream 1"), "{error}");
}

#[test]
fn fields_go_on_in_continuations_and_nothing_comes_between() {
    let block = hpack::block([(":status", "200"), ("a", "b")]);
    let begin = |stream| Frame::new(Kind::HEADERS, flag::END_STREAM, stream, &block[..5]);
    let mut session = polite();
    let stream = get(&mut session);
    take(&mut session, &begin(stream));
    take(&mut session, &Frame::continuation(stream, &block[5..9], false));
    assert!(session.exchange(stream).unwrap().head.is_none());
    take(&mut session, &Frame::continuation(stream, &block[9..], true));
    assert!(session.exchange(stream).unwrap().response().unwrap().whole);
    let between = [begin(get(&mut session)), Frame::ping([0; 8])];
    assert!(broken(&mut session, &between).contains("between HEADERS and their CONTINUATION"));
    let mut session = polite();
    let stream = get(&mut session);
    let nothing = broken(&mut session, &[Frame::continuation(stream, [], true)]);
    assert!(nothing.contains("a CONTINUATION that continues nothing"), "{nothing}");
    let other = [begin(stream), Frame::continuation(stream + 2, [], true)];
    assert!(broken(&mut session, &other).contains("a CONTINUATION that continues nothing"));
}

#[test]
fn a_server_begins_with_settings() {
    for first in [Frame::ping([0; 8]), Frame::settings_ack(), head(1, true)] {
        let error = broken(&mut Session::new(Manners::default()), &[first]);
        assert!(error.contains("the server's first frame is no SETTINGS"), "{error}");
    }
}

#[test]
fn a_server_sends_only_on_streams_that_the_client_opened() {
    for stream in [2, 3, 8] {
        let mut session = polite();
        get(&mut session);
        let error = broken(&mut session, &[head(stream, true)]);
        assert!(error.contains("idle"), "{error}");
    }
    let mut session = polite();
    let stream = get(&mut session);
    let push = Frame::new(Kind::PUSH_PROMISE, flag::END_HEADERS, stream, [0, 0, 0, 2]);
    assert!(broken(&mut session, &[push]).contains("PUSH_PROMISE"));
}

#[test]
fn a_server_that_sends_behind_its_end_is_found_out() {
    let mut session = polite();
    let stream = get(&mut session);
    let error = broken(&mut session, &[head(stream, true), Frame::data(stream, [], true)]);
    assert!(error.contains("for a stream that is closed"), "{error}");
    let stream = get(&mut session);
    let reset = Frame::reset(stream, Code::CANCEL);
    let error = broken(&mut session, &[reset, head(stream, true)]);
    assert!(error.contains("a frame after RST_STREAM"), "{error}");
}

#[test]
fn what_comes_for_a_stream_that_the_client_reset_is_ignored_and_its_tables_kept() {
    let mut session = polite();
    let (gone, next) = (get(&mut session), get(&mut session));
    session.sent(&Frame::reset(gone, Code::CANCEL), Instant::now());
    let mut block = hpack::block([(":status", "200")]);
    hpack::literal(&mut block, hpack::Literal::Indexed, b"newest", b"1");
    take(&mut session, &Frame::headers(gone, block, false));
    take(&mut session, &Frame::data(gone, *b"late", true));
    let exchange = session.exchange(gone).unwrap();
    assert!(exchange.response().is_none());
    assert_eq!(exchange.ended.unwrap().0, Ending::Canceled(Code::CANCEL));
    let mut block = hpack::block([(":status", "200")]);
    hpack::indexed(&mut block, hpack::NEWEST);
    take(&mut session, &Frame::headers(next, block, true));
    let headers = session.exchange(next).unwrap().response().unwrap().headers;
    assert_eq!(headers, [("newest".to_owned(), "1".to_owned())]);
}

#[test]
fn streams_that_are_forgotten_are_as_good_as_reset() {
    let mut session = polite();
    let (gone, open) = (get(&mut session), get(&mut session));
    session.sent(&Frame::reset(gone, Code::CANCEL), Instant::now());
    session.forget_closed();
    assert!(session.exchange(gone).is_none() && session.exchange(open).is_some());
    take(&mut session, &head(gone, false));
    take(&mut session, &Frame::data(gone, [1], true));
    take(&mut session, &Frame::window_update(gone, 1));
}

#[test]
fn a_goaway_ends_the_streams_that_it_does_not_take() {
    let mut session = polite();
    let (taken, refused) = (get(&mut session), get(&mut session));
    take(&mut session, &Frame::goaway(0x7fff_ffff, Code::NO_ERROR, b""));
    assert_eq!(session.exchange(refused).unwrap().ended, None);
    take(&mut session, &Frame::goaway(taken, Code::ENHANCE_YOUR_CALM, b"calm"));
    let ended = |stream| session.exchange(stream).unwrap().ended.map(|(how, _)| how);
    assert_eq!((ended(taken), ended(refused)), (None, Some(Ending::NotTaken(Code::ENHANCE_YOUR_CALM))));
    let (first, last) = session.goaway().unwrap();
    assert_eq!((first.last, last.last, last.debug.as_slice()), (0x7fff_ffff, taken, b"calm".as_slice()));
    let more = broken(&mut session, &[Frame::goaway(refused, Code::NO_ERROR, b"")]);
    assert!(more.contains("takes more streams"), "{more}");
}

#[test]
fn a_lost_connection_ends_what_had_not_ended() {
    let mut session = polite();
    let (done, open) = (get(&mut session), get(&mut session));
    take(&mut session, &head(done, true));
    let at = Instant::now() + Duration::from_millis(5);
    session.lost(End::Reset, at);
    assert_eq!(session.exchange(open).unwrap().ended, Some((Ending::Lost(End::Reset), at)));
    assert_eq!(session.exchange(done).unwrap().ended.unwrap().0, Ending::Complete);
}

#[test]
fn malformed_responses_name_their_stream() {
    let mut session = polite();
    let stream = get(&mut session);
    let head = Frame::headers(stream, hpack::block([(":status", "200"), ("connection", "close")]), true);
    let error = broken(&mut session, &[head]);
    assert_eq!(
        error,
        "the server broke HTTP/2: malformed response: `connection` may not stand there (stream 1)"
    );
    let garbage = Frame::headers(get(&mut session), [0x80], true);
    assert!(broken(&mut session, &[garbage]).contains("malformed HPACK"));
}

#[test]
fn a_stream_counts_its_time_from_the_frame_that_opens_it() {
    let mut session = polite();
    let opened_at = Instant::now();
    let stream = session.open(false, opened_at);
    let sent_at = opened_at + Duration::from_millis(3);
    session.sent(&Frame::headers(stream, [], false), sent_at);
    session.sent(&Frame::data(stream, [], true), sent_at + Duration::from_millis(2));
    assert_eq!(session.exchange(stream).unwrap().sent_at, sent_at);
}

proptest! {
    #[test]
    fn no_frames_make_it_panic(
        frames in prop::collection::vec((0_u8..12, any::<u8>(), 0_u32..8, any::<Vec<u8>>()), 0..20),
    ) {
        let mut session = polite();
        get(&mut session);
        session.open(false, Instant::now());
        for (kind, flags, stream, payload) in frames {
            let frame = Frame::new(Kind(kind), flags, stream, payload);
            let _ = session.received(&frame, Instant::now());
            session.sent(&frame, Instant::now());
        }
    }
}
