//! The clock, told what happens to a connection and when.

use clap::Parser;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn start() -> (Clock, Instant) {
    let now = Instant::now();
    (Clock::start(&Settings::parse_from(["server"]), now), now)
}

#[test]
fn a_head_is_awaited_from_the_accept() {
    let (clock, start) = start();
    clock.received(start + 4 * SECOND, b"G");
    assert_eq!(clock.deadline(), Some(start + 5 * SECOND));
    assert_eq!(clock.overdue(start + 5 * SECOND), Some(Overdue::Header));
}

#[test]
fn dripping_bytes_do_not_extend_a_head() {
    let (clock, start) = start();
    let _ = clock.busy(start);
    clock.idle(start);
    for second in 10..14 {
        clock.received(start + second * SECOND, b"G");
    }
    assert_eq!(clock.deadline(), Some(start + 15 * SECOND));
}

#[test]
fn an_idle_connection_waits_for_the_idle_timeout() {
    let (clock, start) = start();
    let _ = clock.busy(start);
    clock.idle(start + SECOND);
    assert_eq!(clock.overdue(start + 60 * SECOND), None);
    assert_eq!(clock.overdue(start + 61 * SECOND), Some(Overdue::Idle));
}

#[test]
fn a_torn_head_behind_a_request_is_awaited_as_a_head() {
    let (clock, start) = start();
    clock.received(start, b"GET /fast HTTP/1.1\r\n\r\nGET /fa");
    let _ = clock.busy(start);
    clock.idle(start + SECOND);
    assert_eq!(clock.overdue(start + 6 * SECOND), Some(Overdue::Header));
}

#[test]
fn an_answer_is_owed_from_the_head_until_it_has_left() {
    let (clock, start) = start();
    assert!(clock.owes_nothing());
    let _ = clock.busy(start);
    clock.flushed();
    assert!(!clock.owes_nothing());
    clock.idle(start);
    assert!(!clock.owes_nothing());
    clock.flushed();
    assert!(clock.owes_nothing());
}

#[test]
fn a_running_request_is_never_idle() {
    let (clock, start) = start();
    let _ = clock.busy(start);
    assert_eq!((clock.deadline(), clock.is_busy()), (None, true));
}

#[test]
fn the_whole_request_is_due_from_its_first_byte() {
    let (clock, start) = start();
    clock.received(start + SECOND, b"POST /upload HTTP/1.1\r\nContent-Le");
    clock.received(start + 2 * SECOND, b"ngth: 1\r\n\r\n");
    assert_eq!(clock.busy(start + 3 * SECOND).0, start + 11 * SECOND);
    clock.received(start + 4 * SECOND, b"x");
    clock.idle(start + 4 * SECOND);
    clock.received(start + 20 * SECOND, b"POST /upload HTTP/1.1\r\n");
    assert_eq!(clock.busy(start + 21 * SECOND).0, start + 30 * SECOND);
}

#[test]
fn time_spent_on_an_earlier_request_is_not_taken_off_the_next() {
    let (clock, start) = start();
    clock.received(start, b"GET /slow HTTP/1.1\r\n\r\nPOST /upload HTTP/1.1\r\nContent-Length: 5\r\n\r\n");
    let _ = clock.busy(start);
    clock.idle(start + 9 * SECOND);
    assert_eq!(clock.deadline(), None, "the head is whole: the server is next");
    assert_eq!(clock.busy(start + 9 * SECOND).0, start + 19 * SECOND);
}

#[test]
fn half_a_head_behind_a_body_is_awaited_as_a_head() {
    let (clock, start) = start();
    clock.received(start, b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /fa");
    let _ = clock.busy(start);
    clock.idle(start + SECOND);
    assert_eq!(clock.overdue(start + 6 * SECOND), Some(Overdue::Header));
}

#[test]
fn an_empty_line_behind_a_request_begins_no_head() {
    let (clock, start) = start();
    clock.received(start, b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\r\n");
    let _ = clock.busy(start);
    clock.idle(start + SECOND);
    clock.received(start + 2 * SECOND, b"\r\n");
    assert_eq!(clock.deadline(), Some(start + 61 * SECOND));
}

#[test]
fn what_comes_behind_a_body_without_a_known_end_is_awaited_as_a_head() {
    let (clock, start) = start();
    clock.received(start, b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\nabc");
    let _ = clock.busy(start);
    clock.idle(start + SECOND);
    clock.received(start + 2 * SECOND, b"GET");
    assert_eq!(clock.deadline(), Some(start + 7 * SECOND));
}

#[test]
fn a_connection_lingers_once_something_was_written() {
    let (clock, start) = start();
    assert_eq!(clock.closing(), Closing::AtOnce);
    let _ = clock.busy(start);
    clock.wrote();
    clock.idle(start);
    assert_eq!(clock.closing(), Closing::Linger);
}

#[test]
fn a_stream_without_an_end_of_its_own_is_reset_unless_it_is_whole() {
    let (clock, start) = start();
    let _ = clock.busy(start);
    clock.streaming(Some(start + SECOND), true);
    clock.wrote();
    assert_eq!(clock.closing(), Closing::Reset);
    clock.flushed();
    clock.idle(start);
    assert_eq!(clock.closing(), Closing::Reset, "its last bytes have not left");
    clock.flushed();
    assert_eq!(clock.closing(), Closing::Linger);
}

#[test]
fn a_blocked_write_is_due_from_its_last_progress() {
    let (clock, start) = start();
    let _ = clock.busy(start);
    clock.blocked(start + SECOND);
    clock.blocked(start + 2 * SECOND);
    assert_eq!(clock.overdue(start + 11 * SECOND), Some(Overdue::Write));
    clock.wrote();
    assert_eq!(clock.overdue(start + 11 * SECOND), None);
}

#[test]
fn a_stream_is_truncated_at_its_deadline_even_while_blocked() {
    let (clock, start) = start();
    let _ = clock.busy(start);
    clock.streaming(Some(start + 2 * SECOND), false);
    clock.blocked(start + SECOND);
    assert_eq!(clock.overdue(start + 2 * SECOND), Some(Overdue::Stream));
}

#[test]
fn the_target_of_each_request_is_judged_as_it_was_sent() {
    let (clock, start) = start();
    clock.received(start, b"GET /fast HTTP/1.1\r\n\r\nGET /fa");
    clock.received(start, b"st#x HTTP/1.1\r\n\r\nGET /fast HTTP/1.1\r\n\r\n");
    let targets = [(); 3].map(|()| clock.busy(start).1);
    assert!(matches!(targets, [Ok(()), Err(Refusal::Malformed(_)), Ok(())]), "{targets:?}");
}

#[test]
fn a_head_is_too_large_for_its_target_where_that_is_too_long() {
    let (clock, start) = start();
    clock.received(start, b"GET /fast HTTP/1.1\r\nHost: lab");
    assert_eq!(clock.too_large(), Refusal::HeadTooLarge);
    clock.received(start, b"\r\n\r\nGET /");
    clock.received(start, &[b'x'; crate::limits::URI]);
    assert_eq!(clock.too_large(), Refusal::UriTooLong);
}

#[test]
fn a_connection_of_streams_is_idle_when_none_is_open_and_not_when_nothing_arrives() {
    let (clock, start) = start();
    clock.streams(start);
    assert_eq!(clock.overdue(start + 60 * SECOND), Some(Overdue::Idle), "it never had one");
    clock.opened();
    clock.opened();
    assert!(!clock.closed(start + SECOND));
    clock.received(start + 2 * SECOND, b"half a head is none of HTTP/1");
    assert_eq!((clock.deadline(), clock.is_busy()), (None, true));
    assert!(clock.closed(start + 90 * SECOND));
    assert_eq!((clock.deadline(), clock.is_busy()), (Some(start + 150 * SECOND), false));
}

#[test]
fn a_client_that_was_told_of_the_end_has_a_moment_to_agree_once_no_stream_is_open() {
    let (clock, start) = start();
    clock.streams(start);
    clock.opened();
    clock.parting(start);
    assert_eq!(clock.deadline(), None, "its stream is served");
    assert!(clock.closed(start + SECOND));
    assert_eq!(clock.deadline(), Some(start + SECOND + limits::LINGER));
}

#[test]
fn what_is_written_over_http_2_is_never_withheld() {
    let (clock, start) = start();
    assert!(clock.owes_nothing());
    clock.streams(start);
    assert!(!clock.owes_nothing());
}
