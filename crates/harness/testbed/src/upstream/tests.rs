//! The upstream on real sockets, with a client that an intermediary would be.

use wire::trace::Trace;
use wire::{Request, Wire};

use super::*;

const SOON: Duration = Duration::from_secs(5);

fn connect(upstream: &Upstream) -> Wire {
    Wire::connect(upstream.addresses()[0], Instant::now() + SOON, &Trace::default()).unwrap()
}

fn get(id: &str) -> Request {
    Request::get(format!("/{id}")).id(id)
}

#[test]
fn requests_of_one_connection_are_answered_in_order_with_their_own_ids() {
    let upstream = Upstream::start().unwrap();
    let mut wire = connect(&upstream);
    wire.send(&[get("a").bytes("lab"), get("b").bytes("lab")].concat()).unwrap();
    for id in ["a", "b"] {
        assert_eq!(wire.answer().unwrap().response.field("id").as_deref(), Some(id));
    }
    let seen = upstream.wait("b", SOON, |seen| seen.answered_at.is_some()).unwrap();
    assert_eq!((seen.before, seen.connection, seen.told, upstream.connections()), (1, 0, None, 1));
}

#[test]
fn a_connection_that_ends_while_an_answer_is_owed_is_told_apart_by_fin_and_rst() {
    let upstream = Upstream::start().unwrap();
    for (id, end) in [("fin", End::Fin), ("rst", End::Reset)] {
        upstream.answer(id, [Reply::NOTHING]);
        let mut wire = connect(&upstream);
        wire.send(&get(id).bytes("lab")).unwrap();
        upstream.wait(id, SOON, |_| true).unwrap();
        let left_at = if end == End::Fin { wire.close() } else { wire.reset() };
        let (how, at) = upstream.wait(id, SOON, |seen| seen.told.is_some()).unwrap().told.unwrap();
        assert_eq!(how, end);
        assert!(at >= left_at);
    }
}

#[test]
fn an_end_behind_bytes_that_are_not_read_is_told() {
    let upstream = Upstream::start().unwrap();
    upstream.answer("up", [Reply { reads: false, awaits: false, ..Reply::NOTHING }]);
    let mut wire = connect(&upstream);
    wire.send(&Request::post_part("/up", 100, *b"0123456789").id("up").bytes("lab")).unwrap();
    upstream.wait("up", SOON, |_| true).unwrap();
    wire.close();
    let seen = upstream.wait("up", SOON, |seen| seen.told.is_some()).unwrap();
    assert_eq!((seen.body_bytes(), seen.body_at), (0, None));
}

#[test]
fn an_answer_that_does_not_mind_goes_on_after_a_half_close() {
    let upstream = Upstream::start().unwrap();
    upstream.answer("late", [Reply { minds: false, ..Reply::late(Duration::from_millis(20)) }]);
    let mut wire = connect(&upstream);
    wire.send(&get("late").bytes("lab")).unwrap();
    wire.half_close();
    assert_eq!(wire.answer().unwrap().status(), 200);
    assert!(upstream.wait("late", SOON, |seen| seen.told.is_some()).is_some());
}

#[test]
fn an_answer_is_never_early_and_each_arrival_has_its_own() {
    let upstream = Upstream::start().unwrap();
    let late = Duration::from_millis(30);
    upstream.answer("x", [Reply::of(Shape::Close), Reply::late(late)]);
    assert!(connect(&upstream).ask(&get("x")).is_err());
    assert!(connect(&upstream).ask(&get("x")).unwrap().after() >= late);
    assert_eq!(upstream.seen("x").len(), 2);
}

#[test]
fn a_body_is_seen_as_it_comes_and_a_flood_stops_where_nobody_reads() {
    let upstream = Upstream::start().unwrap();
    let mut wire = connect(&upstream);
    let request = Request::get("/body").method("POST").id("body").header("Transfer-Encoding", "chunked");
    wire.send(&[request.bytes("lab"), b"3\r\nabc\r\n0\r\n\r\n".to_vec()].concat()).unwrap();
    assert_eq!(wire.answer().unwrap().status(), 200);
    let seen = upstream.seen("body").remove(0);
    assert!(seen.body_bytes() == 3 && seen.body_at.is_some());

    upstream.answer("flood", [Reply::of(Shape::Flood)]);
    let mut wire = connect(&upstream);
    wire.send(&get("flood").bytes("lab")).unwrap();
    let sent = || upstream.wait("flood", SOON, |seen| seen.sent_bytes() > 100_000).unwrap().sent_bytes();
    assert!(sent() < FLOOD);
    wire.reset();
    assert!(upstream.wait("flood", SOON, |seen| seen.told.is_some()).is_some());
}
