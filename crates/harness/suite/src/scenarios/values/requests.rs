//! Values that belong to a request: they arrive wherever its work runs, and nowhere else.

use testbed::capability::Capability;
use testbed::capability::Capability::{EndpointValues, KeepAlive, RequestId, StyleContext, Witness};
use wire::{Answer, Request};

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Outcome, Scenario};

const NEEDS: &[Capability] = &[EndpointValues];
const BASE: Scenario = Scenario { needs: NEEDS, ..Scenario::BASE };

const LOST: &str =
    "a `task_local` or a `thread_local` is lost at the next spawn, and a trace without its id with it";
const LEAKS: &str = "a value that outlives its request belongs to somebody else by then: one customer's name on \
    another's order";
const LOCAL: &str =
    "a `thread_local` that is set and never cleared; a task that is reused with its `task_local`";
const TOKIO: &[&str] = &["https://docs.rs/tokio/1.54.1/tokio/macro.task_local.html"];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "values/inside-the-work",
        promise: "the request's id and subject arrive inside the work, behind every spawn on the way",
        sent: "`GET /values` with `X-Request-Id` and `X-Subject: alice`",
        why: "who asks must be known where it is decided, and the id where it is logged",
        wrong: LOST,
        sources: TOKIO,
        run: inside_the_work,
        ..BASE
    },
    Scenario {
        id: "values/not-shared",
        promise: "the next request on the connection does not see the values of the one before",
        needs: &[EndpointValues, KeepAlive],
        sent: "`GET /values` with `X-Subject: alice`, then without, on one connection",
        why: LEAKS,
        wrong: LOCAL,
        run: not_shared,
        ..BASE
    },
    Scenario {
        id: "values/pipelined",
        promise: "requests pipelined on one connection each see their own values",
        needs: &[EndpointValues, KeepAlive],
        sent: "20 times `GET /values` in one write, each with its own id, every other one with its own subject",
        why: LEAKS,
        wrong: "values that belong to the connection and not to the request",
        run: pipelined,
        ..BASE
    },
    Scenario {
        id: "values/each-its-own",
        promise: "300 requests at once each see their own values",
        sent: "300 connections, each `GET /values` with a subject of its own",
        why: LEAKS,
        wrong: "a global that is right as long as one request runs at a time",
        run: each_its_own,
        ..BASE
    },
    Scenario {
        id: "values/after-a-504",
        promise: "the request behind one that was canceled at its deadline does not see its values",
        needs: &[EndpointValues, KeepAlive, StyleContext],
        sent: "`GET /slow` with `X-Subject: alice` and `grpc-timeout: 60m`, its 504, then `GET /values` without a subject",
        why: "a cancel leaves by another door than a return, and what is cleaned up at the one stays at the other",
        wrong: LOCAL,
        run: after_a_504,
        ..BASE
    },
    Scenario {
        id: "values/after-a-disconnect",
        promise: "requests that come after one whose client left do not see its values",
        needs: &[EndpointValues, Witness, StyleContext],
        sent: "20 times `GET /slow` with `X-Subject: alice`, and RST; then 20 times `GET /values` without a subject",
        why: "a cancel leaves by another door than a return, and what is cleaned up at the one stays at the other",
        wrong: LOCAL,
        run: after_a_disconnect,
        ..BASE
    },
    Scenario {
        id: "values/made-id-inside",
        promise: "an id that the server made is the same inside the work and in the answer's header",
        needs: &[EndpointValues, RequestId],
        sent: "`GET /values` with no `X-Request-Id`",
        why: "two ids for one request are worse than none",
        run: made_id_inside,
        ..BASE
    },
    Scenario {
        id: "values/subject-hostile",
        promise: "a subject that is duplicated, empty, too long or not printable is refused, and never reflected",
        sent: "`GET /values` with `X-Subject` twice, empty, of 257 characters, with a tab inside, with UTF-8",
        why: "who asks is the last thing to be guessed",
        wrong: "the first of two, or the last of two, depending on who looks",
        sources: &["RFC 9110, section 5.3"],
        run: subject_hostile,
        ..BASE
    },
];

fn ask(bench: &Bench, subject: Option<&str>) -> Request {
    let request = Request::get("/values").id(bench.id());
    match subject {
        Some(subject) => request.header("X-Subject", subject),
        None => request,
    }
}

/// Checks that the answer tells of exactly this id and this subject.
fn tells(answer: &Answer, id: Option<&str>, subject: Option<&str>) -> Result<(), Failure> {
    let response = &answer.response;
    ensure!(answer.status() == 200, "{} instead of 200: {}", answer.status(), response.text());
    let inside = response.field("request_id");
    ensure!(inside.as_deref() == id, "inside, the id was {} and not {}", or_none(inside), or_none(id));
    let inside = response.field("subject");
    ensure!(
        inside.as_deref() == subject,
        "inside, the subject was {} and not {}",
        or_none(inside),
        or_none(subject)
    );
    Ok(())
}

fn inside_the_work(bench: &Bench) -> Outcome {
    for subject in ["alice", "Alice B. Carol (7) <a@b>", &"x".repeat(256)] {
        let request = ask(bench, Some(subject));
        tells(&bench.ask(&request)?, request.id_given(), Some(subject))?;
    }
    Ok("id and subject, up to 256 characters".into())
}

fn not_shared(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    for subject in [Some("alice"), None, Some("bob"), None] {
        let request = ask(bench, subject);
        tells(&wire.ask(&request)?, request.id_given(), subject)?;
    }
    Ok("alice, nobody, bob, nobody".into())
}

fn pipelined(bench: &Bench) -> Outcome {
    let subjects: Vec<_> =
        (0..20).map(|number| (number % 2 == 0).then(|| format!("subject-{number}"))).collect();
    let requests: Vec<_> = subjects.iter().map(|subject| ask(bench, subject.as_deref())).collect();
    let mut wire = bench.connect()?;
    wire.send(&requests.iter().flat_map(|request| request.bytes(bench.host())).collect::<Vec<_>>())?;
    for (request, subject) in requests.iter().zip(&subjects) {
        tells(&wire.answer()?, request.id_given(), subject.as_deref())?;
    }
    Ok("20 answers, each its own".into())
}

fn each_its_own(bench: &Bench) -> Outcome {
    let subjects: Vec<_> = (0..300).map(|number| format!("subject-{number}")).collect();
    let requests = subjects.iter().map(|subject| ask(bench, Some(subject))).collect();
    for (shot, subject) in bench.storm(requests)?.finish()?.iter().zip(&subjects) {
        let response = shot.response.as_ref().ok_or_else(|| Failure::broken("a request got no answer"))?;
        let (id, inside) = (response.field("request_id"), response.field("subject"));
        ensure!(id == shot.id, "inside, the id was {} and not {}", or_none(id), or_none(shot.id.as_ref()));
        ensure!(
            inside.as_ref() == Some(subject),
            "inside, the subject was {} and not {subject}",
            or_none(inside)
        );
    }
    Ok("300 answers, each its own".into())
}

fn after_a_504(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let timeout = bench.ms(60);
    let slow = bench.slow_for(bench.ms(3000), timeout, "").header("X-Subject", "alice");
    bench.is_504(&wire.ask(&slow)?, timeout)?;
    let request = ask(bench, None);
    tells(&wire.ask(&request)?, request.id_given(), None)?;
    Ok("nobody".into())
}

fn after_a_disconnect(bench: &Bench) -> Outcome {
    for _ in 0..20 {
        let slow = crate::scenarios::disconnect::request(bench, "").header("X-Subject", "alice");
        let mut wire = bench.connect()?;
        wire.send_request(&slow)?;
        bench.work_begins(slow.id_given().unwrap_or_default())?;
        wire.reset();
    }
    for _ in 0..20 {
        let request = ask(bench, None);
        tells(&bench.ask(&request)?, request.id_given(), None)?;
    }
    Ok("20 times nobody".into())
}

fn made_id_inside(bench: &Bench) -> Outcome {
    let answer = bench.ask(&Request::get("/values"))?;
    let header = answer.response.header("x-request-id").unwrap_or_default().to_owned();
    ensure!(!header.is_empty(), "the answer has no X-Request-Id");
    tells(&answer, Some(&header), None)?;
    Ok(header.into())
}

fn subject_hostile(bench: &Bench) -> Outcome {
    let twice = ask(bench, Some("alice")).header("X-Subject", "bob");
    let long = "x".repeat(257);
    let others = ["", &long, "al\tice", "Zoë"].map(|subject| ask(bench, Some(subject)));
    for request in std::iter::once(twice).chain(others) {
        let answer = bench.ask(&request)?;
        let text = answer.response.text();
        ensure!(answer.status() == 400, "{} instead of 400: {text}", answer.status());
        ensure!(
            !text.contains("alice") && !text.contains("xxxx") && !text.contains("Zo"),
            "reflected: {text}"
        );
    }
    Ok("5 times 400".into())
}
