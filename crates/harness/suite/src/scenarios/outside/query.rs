//! Queries to a database: whichever way a request ends, its query ends, by the word of `pg_stat_activity`.

use std::cell::Cell;
use std::time::{Duration, Instant};

use testbed::capability::Capability::{
    EndpointPanic, FlagDatabase, FlagRequestTimeout, FlagShutdownTimeout, Process, StyleQuery,
    StyleQueryDropped,
};
use testbed::postgres::{self, Client, Postgres};
use testbed::server::Server;
use wire::{Leave, Request, Wire};

use rustix::process::Signal;

use super::upstream::{connect, start};
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Level, Observed, Outcome, Scenario};
use crate::scenarios::shutdown::is_200;

pub(super) const STYLE: &str = "style=query";
const LONG: &str =
    "a query whose client has left runs on to its end: twenty minutes of a database for nobody";
const PGX: &str = "https://github.com/jackc/pgx/issues/659";
const CANCEL: &str = "https://www.postgresql.org/docs/15/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS";
const SOCKET: &str =
    "https://www.postgresql.org/docs/15/runtime-config-connection.html#GUC-CLIENT-CONNECTION-CHECK-INTERVAL";

/// The base of these scenarios: a server that is started for the purpose, with a database.
pub(super) const BASE: Scenario = Scenario {
    judges: &[Judges::Work],
    needs: &[Process, StyleQuery, FlagDatabase, FlagRequestTimeout],
    limit: Duration::from_secs(90),
    why: LONG,
    ..Scenario::BASE
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "outside/query-completes",
        promise: "work in a query is done by the database, under the id of its request, and answered 200",
        judges: &[Judges::Answer, Judges::Work],
        sent: "`GET /slow?style=query&work=300ms` over TCP and over a Unix socket; meanwhile `pg_stat_activity` is read",
        wrong: "a query without a name: nobody finds out whose it is",
        run: completes,
        ..BASE
    },
    Scenario {
        id: "outside/query-deadline",
        promise: "a query is canceled at the deadline of its request",
        judges: &[Judges::Answer, Judges::Work],
        sent: "`GET /slow?style=query&work=8000ms` with `grpc-timeout: 300m`; `pg_stat_activity` is read until the query is gone",
        wrong: "node-pg's `query_timeout` and a psycopg in a thread answer in time, and the query runs on",
        sources: &[CANCEL, PGX],
        run: deadline,
        ..BASE
    },
    Scenario {
        id: "outside/query-fin",
        promise: "a query is canceled when the client of its request closes",
        sent: "`GET /slow?style=query&work=8000ms`, then FIN; three times",
        wrong: "a connection that is closed stops no query: PostgreSQL looks at its client when it has something to write",
        sources: &[CANCEL, SOCKET],
        run: |bench| leaves(bench, Leave::Fin),
        ..BASE
    },
    Scenario {
        id: "outside/query-rst",
        promise: "a query is canceled when the client of its request resets",
        sent: "`GET /slow?style=query&work=8000ms`, then RST; three times",
        wrong: "a connection that is closed stops no query: PostgreSQL looks at its client when it has something to write",
        sources: &[CANCEL, SOCKET],
        run: |bench| leaves(bench, Leave::Rst),
        ..BASE
    },
    Scenario {
        id: "outside/query-panic",
        promise: "a query is canceled when its handler panics right behind its start",
        needs: &[Process, StyleQuery, FlagDatabase, FlagRequestTimeout, EndpointPanic],
        sent: "`GET /panic?style=query`, five times; `pg_stat_activity` is read until the queries are gone",
        wrong: "a cancel that overtakes its query finds nothing to cancel, and the query runs",
        sources: &[CANCEL],
        run: panics,
        ..BASE
    },
    Scenario {
        id: "outside/query-shutdown",
        promise: "a shutdown cancels a query with its request: 503, exit 0, and no query is left",
        judges: &[Judges::Answer, Judges::Work],
        needs: &[Process, StyleQuery, FlagDatabase, FlagRequestTimeout, FlagShutdownTimeout],
        sent: "`GET /slow?style=query&work=8000ms`, then SIGTERM; `--shutdown-timeout 400ms`",
        wrong: "a process that ends before its cancel is sent leaves the query to the database",
        run: shutdown,
        ..BASE
    },
    Scenario {
        id: "outside/query-unset",
        promise: "without `--database` the style is refused with a 400 that names it",
        judges: &[Judges::Answer],
        sent: "`GET /slow?style=query` to a server that was started without `--database`",
        why: "who is told 503 tries again",
        wrong: "a default database: the one that happens to run",
        run: unset,
        ..BASE
    },
    Scenario {
        id: "outside/query-dropped",
        promise: "how long a query runs on that is dropped and that nobody cancels",
        level: Level::Info,
        needs: &[Process, StyleQueryDropped, FlagDatabase, FlagRequestTimeout],
        sent: "`GET /slow?style=query-dropped&work=900ms` with `grpc-timeout: 300m`",
        wrong: "that is what a dropped future of a driver does that closes its connection, and no more",
        sources: &[PGX, SOCKET],
        run: dropped,
        ..BASE
    },
];

/// A server with a database, and the harness's own look at that.
pub(super) struct Front {
    pub(super) server: Server,
    pub(super) activity: Activity,
    /// The beginning of its requests' ids, which no other server's have.
    pub(super) name: String,
    requests: Cell<u32>,
}

impl Front {
    fn of(bench: &Bench, server: Server, postgres: &Postgres) -> Result<Self, Failure> {
        let name = format!("{}.", bench.id());
        Ok(Self { server, activity: Activity::open(postgres)?, name, requests: Cell::new(0) })
    }

    /// A request whose work a query does, with `work` to do in `timeout`.
    pub(super) fn request(&self, work: Duration, timeout: Duration) -> Request {
        self.request_in(STYLE, work, timeout)
    }

    fn request_in(&self, style: &str, work: Duration, timeout: Duration) -> Request {
        let number = self.requests.replace(self.requests.get() + 1);
        let target = format!("/slow?{style}&work={}us", work.as_micros());
        Request::get(target).timeout(timeout).id(format!("{}{number}", self.name))
    }

    /// Sends such a request.
    pub(super) fn send(&self, bench: &Bench, work: Duration, timeout: Duration) -> Result<Sent, Failure> {
        self.send_request(bench, &self.request(work, timeout))
    }

    fn send_request(&self, bench: &Bench, request: &Request) -> Result<Sent, Failure> {
        let mut wire = connect(bench, &self.server)?;
        let sent_at = wire.send_request(request)?;
        Ok(Sent { wire, id: request.id_given().expect("it is named").to_owned(), sent_at })
    }

    /// Sends such a request, and waits until its query runs.
    pub(super) fn working(&mut self, bench: &Bench, work: u64, timeout: u64) -> Result<Sent, Failure> {
        let sent = self.send(bench, bench.ms(work), bench.ms(timeout))?;
        self.activity.until_running(bench, &sent.id, 1)?;
        Ok(sent)
    }
}

/// The harness's own connection to the database.
pub(super) struct Activity(Client);

impl Activity {
    fn open(postgres: &Postgres) -> Result<Self, Failure> {
        Ok(Self(postgres.connect().map_err(Failure::harness)?))
    }

    /// Runs a query of the harness's own; returns the first value of each row.
    pub(super) fn ask(&mut self, query: &str) -> Result<Vec<String>, Failure> {
        let rows = self.0.rows(query).map_err(Failure::harness)?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }

    /// Counts the queries that run for requests whose ids begin with `id`.
    pub(super) fn running(&mut self, id: &str) -> Result<usize, Failure> {
        let active = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND starts_with(query, ";
        Ok(self.ask(&format!("{active}'/* {id}')"))?.len())
    }

    /// Waits until `count` queries run for requests whose ids begin with `id`.
    pub(super) fn until_running(&mut self, bench: &Bench, id: &str, count: usize) -> Result<(), Failure> {
        let until = Instant::now() + bench.patience();
        loop {
            let running = self.running(id)?;
            if running == count {
                return Ok(());
            }
            ensure!(Instant::now() < until, "{running} queries of {id} run, and not {count}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until no query runs for `id`; it had to be gone since `since`, and soon. Gives the time between.
    pub(super) fn gone(&mut self, bench: &Bench, id: &str, since: Instant) -> Result<Duration, Failure> {
        let most = bench.outside_late();
        loop {
            let asked_at = Instant::now();
            let running = self.running(id)?;
            if running == 0 {
                // It was gone when it was asked for, or before the answer came: the question counts as late as possible.
                return Ok(since.elapsed());
            }
            let late = asked_at.saturating_duration_since(since);
            ensure!(late <= most, "the query still runs {late:.1?} later");
            std::thread::sleep(Duration::from_micros(300));
        }
    }
}

/// The database of the scenarios.
pub(super) fn database() -> Result<&'static Postgres, Failure> {
    postgres::shared().map_err(Failure::unsupported)
}

/// Starts a server like the one under test with the database, and these flags on top.
pub(super) fn front(bench: &Bench, flags: &[&str]) -> Result<Front, Failure> {
    let postgres = database()?;
    Front::of(bench, front_at(bench, postgres.url(), flags)?, postgres)
}

/// Starts a server like the one under test with the database at `url`, and these flags on top.
pub(super) fn front_at(bench: &Bench, url: &str, flags: &[&str]) -> Result<Server, Failure> {
    start(bench, None, &[&["--database", url], flags].concat())
}

/// A request whose work a query does.
pub(super) struct Sent {
    pub(super) wire: Wire,
    pub(super) id: String,
    pub(super) sent_at: Instant,
}

fn told(took: &[Duration]) -> Observed {
    let worst = took.iter().max().copied().unwrap_or_default();
    Observed::new(format!("gone {worst:.1?} later at most, of {}", took.len()))
        .with("gone_worst_ms", worst.as_secs_f64() * 1e3)
}

fn completes(bench: &Bench) -> Outcome {
    let postgres = database()?;
    let urls = [Some(postgres.url().to_owned()), postgres.socket_url()];
    let mut after = Vec::new();
    for url in urls.iter().flatten() {
        let server = front_at(bench, url, &[])?;
        let mut front = Front::of(bench, server, postgres)?;
        let mut sent = front.working(bench, 300, 10_000)?;
        let answer = sent.wire.answer()?;
        is_200(&answer)?;
        ensure!(answer.after() >= bench.ms(300), "200 after {:.1?} for {:?}", answer.after(), bench.ms(300));
        front.activity.gone(bench, &sent.id, answer.first_byte_at)?;
        after.push(format!("{:.0?}", answer.after()));
    }
    Ok(format!("200 after {}", after.join(" and ")).into())
}

fn deadline(bench: &Bench) -> Outcome {
    let mut front = front(bench, &[])?;
    let mut took = Vec::new();
    for _ in 0..3 {
        let mut sent = front.working(bench, 8000, 300)?;
        bench.is_504(&sent.wire.answer()?, bench.ms(300))?;
        took.push(front.activity.gone(bench, &sent.id, sent.sent_at + bench.ms(300))?);
    }
    Ok(told(&took))
}

fn leaves(bench: &Bench, leave: Leave) -> Outcome {
    let mut front = front(bench, &[])?;
    let mut took = Vec::new();
    for _ in 0..3 {
        let sent = front.working(bench, 8000, 15_000)?;
        let (left_at, _) = leave.act(sent.wire);
        took.push(front.activity.gone(bench, &sent.id, left_at)?);
    }
    Ok(told(&took))
}

fn panics(bench: &Bench) -> Outcome {
    let mut front = front(bench, &[])?;
    let mut took = Vec::new();
    for _ in 0..5 {
        let id = bench.id();
        let answer =
            connect(bench, &front.server)?.ask(&Request::get("/panic?style=query").id(id.as_str()))?;
        match answer.status() {
            500 => {}
            400 => return Err(Failure::unsupported("`/panic?style=query`")),
            other => return Err(Failure::broken(format!("{other} instead of 500"))),
        }
        took.push(front.activity.gone(bench, &id, answer.first_byte_at)?);
        // A query that the cancel has overtaken runs by then, until it is canceled once more.
        std::thread::sleep(bench.ms(20));
        front.activity.gone(bench, &id, Instant::now())?;
    }
    Ok(told(&took))
}

fn shutdown(bench: &Bench) -> Outcome {
    let mut front = front(bench, &["--shutdown-timeout", "400ms"])?;
    let mut sent = front.working(bench, 8000, 15_000)?;
    front.server.signal(Signal::TERM);
    let answer = sent.wire.answer()?;
    let reason = answer.response.field("reason");
    ensure!(
        answer.status() == 503 && reason.as_deref() == Some("shutdown"),
        "{} with reason {} instead of 503 with reason `shutdown`",
        answer.status(),
        or_none(reason)
    );
    let late = front.activity.gone(bench, &sent.id, answer.first_byte_at)?;
    let status = front.server.wait_end(bench.patience());
    let code = status.and_then(|status| status.code());
    ensure!(code == Some(0), "exit {} instead of 0", or_none(code));
    Ok(format!("503, the query gone {late:.1?} later, exit 0").into())
}

fn unset(bench: &Bench) -> Outcome {
    let answer = bench.ask(&bench.slow(STYLE))?;
    ensure!(answer.status() == 400, "{} instead of 400", answer.status());
    let error = answer.response.field("error").unwrap_or_default();
    ensure!(error.contains("style"), "the 400 says `{error}` and does not name the style");
    Ok(error.into())
}

fn dropped(bench: &Bench) -> Outcome {
    let mut front = front(bench, &[])?;
    let request = front.request_in("style=query-dropped", bench.ms(900), bench.ms(300));
    let mut sent = front.send_request(bench, &request)?;
    front.activity.until_running(bench, &sent.id, 1)?;
    let answer = sent.wire.answer()?;
    bench.is_504(&answer, bench.ms(300))?;
    front.activity.until_running(bench, &sent.id, 0)?;
    let zombie = answer.first_byte_at.elapsed();
    Ok(Observed::new(format!("ran on for {zombie:.0?}")).with("zombie_ms", zombie.as_secs_f64() * 1e3))
}
