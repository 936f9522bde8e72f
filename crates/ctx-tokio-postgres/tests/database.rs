//! A real PostgreSQL: the test's own, or the one that `LAB_TEST_DATABASE` names.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ctx::{Context, Ended};
use ctx_tokio_postgres::{Error, Session};
use libtest_mimic::{Arguments, Trial};
use testbed::postgres::{self, Postgres};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::task;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// The time within which a query is seen to begin or to end; a query of a minute is far longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where no PostgreSQL can be started, the tests say why and are ignored; where CI promises one, they fail.
fn main() {
    // The test's own PostgreSQL is kept by a copy of this program, which ends it.
    testbed::guard::exec_if_asked();
    let missing = postgres::shared().err().filter(|_| std::env::var_os("CI").is_none());
    if let Some(missing) = &missing {
        eprintln!("not tested: {missing}");
    }
    let trials = [
        trial(
            "work_that_ends_in_time_returns_its_rows_and_its_errors",
            work_that_ends_in_time_returns_its_rows_and_its_errors,
        ),
        trial(
            "the_end_of_the_context_cancels_the_query_in_the_database",
            the_end_of_the_context_cancels_the_query_in_the_database,
        ),
        trial(
            "a_deadline_cancels_too_and_an_ended_context_begins_nothing",
            a_deadline_cancels_too_and_an_ended_context_begins_nothing,
        ),
        trial(
            "a_dropped_call_and_a_dropped_session_cancel_too",
            a_dropped_call_and_a_dropped_session_cancel_too,
        ),
        trial("a_late_cancel_never_hits_the_next_query", a_late_cancel_never_hits_the_next_query),
        trial(
            "cancels_that_are_slow_on_their_way_never_hit_the_next_query",
            cancels_that_are_slow_on_their_way_never_hit_the_next_query,
        ),
        trial(
            "a_cancel_that_is_not_taken_closes_the_connection",
            a_cancel_that_is_not_taken_closes_the_connection,
        ),
        trial(
            "a_connection_is_closed_when_its_cancel_is_not_taken_and_its_session_is_gone",
            a_connection_is_closed_when_its_cancel_is_not_taken_and_its_session_is_gone,
        ),
        trial(
            "a_cancel_that_overtakes_its_query_is_sent_again_until_that_ends",
            a_cancel_that_overtakes_its_query_is_sent_again_until_that_ends,
        ),
    ];
    let trials = trials.map(|trial| trial.with_ignored_flag(missing.is_some()));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit();
}

/// Makes a test of a future, on a runtime of its own.
fn trial<F: Future<Output = ()> + 'static>(name: &str, test: fn() -> F) -> Trial {
    Trial::test(name, move || {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(test());
        Ok(())
    })
}

/// Returns the database, which `main` has started.
fn database() -> &'static Postgres {
    postgres::shared().expect("a PostgreSQL runs")
}

fn target(postgres: &Postgres) -> (Config, SocketAddr) {
    let config: Config = postgres.url().parse().expect("it is a URL");
    let [Host::Tcp(host)] = config.get_hosts() else { panic!("`{}` names one host", postgres.url()) };
    let at = SocketAddr::new(host.parse().expect("it is an address"), config.get_ports()[0]);
    (config, at)
}

async fn session(postgres: &Postgres) -> Session {
    let (config, at) = target(postgres);
    Session::connect(&config, move || TcpStream::connect(at)).await.expect("it takes connections")
}

/// Waits until as many queries as `wanted` that name `mark` run, by a connection of the test's own.
async fn until_running(postgres: &Postgres, mark: &str, wanted: usize) {
    let mut witness = task::block_in_place(|| postgres.connect()).expect("it takes connections");
    let query = format!(
        "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%{mark}%' AND pid <> pg_backend_pid()"
    );
    let until = Instant::now() + PATIENCE;
    while task::block_in_place(|| witness.rows(&query)).expect("it answers").len() != wanted {
        assert!(Instant::now() < until, "{mark}: never {wanted}");
        task::yield_now().await;
    }
}

async fn answer(session: &mut Session, number: i32) -> Result<i32, Error> {
    let rows = session
        .run(&Context::background(), async |client| client.query("SELECT $1::int", &[&number]).await)
        .await?;
    Ok(rows[0].get(0))
}

/// Runs a query of a minute, which `mark` names.
async fn minute(session: &mut Session, ctx: &Context, mark: &str) -> Result<(), Error> {
    let query = format!("SELECT pg_sleep(60) /* {mark} */");
    session.run(ctx, async |client| client.batch_execute(&query).await).await
}

/// Cancels a query of a minute, which `mark` names, once it runs: at a deadline it might not have begun.
async fn canceled(session: &mut Session, postgres: &Postgres, mark: &str) {
    let (ctx, cancel) = Context::background().with_cancel();
    let (outcome, ()) = tokio::join!(minute(session, &ctx, mark), async {
        until_running(postgres, mark, 1).await;
        cancel.cancel();
    });
    outcome.expect_err("it was canceled");
}

async fn work_that_ends_in_time_returns_its_rows_and_its_errors() {
    let postgres = database();
    let mut session = session(postgres).await;
    assert_eq!(answer(&mut session, 7).await.expect("it answers"), 7);
    let (ctx, _cancel) = Context::background().with_timeout(Duration::from_secs(60));
    let failed = session.run(&ctx, async |client| client.batch_execute("SELECT 1 / 0").await).await;
    assert!(matches!(failed, Err(Error::Postgres(_))), "{failed:?}");
    assert_eq!(answer(&mut session, 8).await.expect("it answers"), 8);
}

async fn the_end_of_the_context_cancels_the_query_in_the_database() {
    let postgres = database();
    let mut session = session(postgres).await;
    let (ctx, cancel) = Context::background().with_cancel();
    let work = tokio::spawn(async move {
        let outcome = minute(&mut session, &ctx, "ended").await;
        (outcome, session)
    });
    until_running(postgres, "ended", 1).await;
    cancel.cancel();
    let (outcome, mut session) = work.await.expect("it does not panic");
    let error = outcome.expect_err("it was canceled");
    assert_eq!(Ended::find(&error).expect("it is the context's").kind(), ctx::Error::Canceled);
    until_running(postgres, "ended", 0).await;
    session.settled().await.expect("it is safe again");
    assert_eq!(answer(&mut session, 9).await.expect("it answers"), 9);
}

async fn a_deadline_cancels_too_and_an_ended_context_begins_nothing() {
    let postgres = database();
    let mut session = session(postgres).await;
    let (ctx, _cancel) = Context::background().with_timeout(Duration::from_millis(50));
    let began = Instant::now();
    let error = minute(&mut session, &ctx, "deadline").await.expect_err("time runs out");
    assert!(Ended::find(&error).expect("it is the context's").is_timeout());
    assert!(began.elapsed() >= Duration::from_millis(50));
    session.settled().await.expect("it is safe again");
    until_running(postgres, "deadline", 0).await;
    let begun = session.run(&ctx, async |_| -> Result<(), _> { panic!("the context has ended") }).await;
    assert!(matches!(begun, Err(Error::Ended(_))), "{begun:?}");
}

async fn a_dropped_call_and_a_dropped_session_cancel_too() {
    let postgres = database();
    let mut session = session(postgres).await;
    let background = Context::background();
    tokio::select! {
        outcome = minute(&mut session, &background, "dropped") => panic!("{outcome:?}"),
        () = until_running(postgres, "dropped", 1) => {}
    }
    assert_eq!(answer(&mut session, 1).await.expect("it answers"), 1);
    until_running(postgres, "dropped", 0).await;
    let work = tokio::spawn(async move { minute(&mut session, &Context::background(), "aborted").await });
    until_running(postgres, "aborted", 1).await;
    work.abort();
    until_running(postgres, "aborted", 0).await;
}

async fn a_late_cancel_never_hits_the_next_query() {
    let postgres = database();
    let (mut lent, mut answered) = (session(postgres).await, 0);
    for round in 0..300 {
        // It ends about when it is canceled.
        let (ctx, _cancel) = Context::background().with_timeout(Duration::from_micros(500));
        let query = format!("SELECT pg_sleep(0.000{})", round % 10);
        let _ = lent.run(&ctx, async |client| client.batch_execute(&query).await).await;
        match answer(&mut lent, round).await {
            // On a busy machine the database may take longer to end a query than it is given.
            Err(Error::Closed) => lent = session(postgres).await,
            outcome => {
                assert_eq!(outcome.expect("no cancel hits it"), round);
                answered += 1;
            }
        }
    }
    assert!(answered > 100, "only {answered} connections were safe again");
}

async fn cancels_that_are_slow_on_their_way_never_hit_the_next_query() {
    let postgres = database();
    let (config, at) = target(postgres);
    let relay = TcpListener::bind("127.0.0.1:0").await.expect("loopback works");
    let slow = relay.local_addr().expect("loopback works");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = relay.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 16];
                client.read_exact(&mut request).await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
                let mut server = TcpStream::connect(at).await?;
                server.write_all(&request).await?;
                server.read(&mut [0]).await
            });
        }
    });
    let dials = AtomicU32::new(0);
    let dial = move || TcpStream::connect(if dials.fetch_add(1, Ordering::Relaxed) == 0 { at } else { slow });
    let mut session = Session::connect(&config, dial).await.expect("it takes connections");
    canceled(&mut session, postgres, "slow").await;
    let next = session
        .run(&Context::background(), async |client| client.batch_execute("SELECT pg_sleep(0.2)").await)
        .await;
    next.expect("no cancel hits it");
}

async fn a_cancel_that_is_not_taken_closes_the_connection() {
    let postgres = database();
    let (config, at) = target(postgres);
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("loopback works");
    let silent = mute.local_addr().expect("loopback works");
    let dials = AtomicU32::new(0);
    let dial =
        move || TcpStream::connect(if dials.fetch_add(1, Ordering::Relaxed) == 0 { at } else { silent });
    let mut session = Session::connect(&config, dial).await.expect("it takes connections");
    canceled(&mut session, postgres, "mute").await;
    assert!(matches!(session.settled().await, Err(Error::Closed)));
    let next = answer(&mut session, 1).await;
    assert!(matches!(next, Err(Error::Closed)), "{next:?}");
}

/// Holds a query back on its way to the database.
#[derive(Default)]
struct Gate {
    reached: Notify,
    open: Notify,
}

/// Passes on what the client sends, until it closes its side; what names `overtaken` waits for the gate.
async fn pass_on(client: TcpStream, at: SocketAddr, gate: Arc<Gate>) -> io::Result<()> {
    let server = TcpStream::connect(at).await?;
    let ((mut asks, mut is_told), (mut tells, mut is_asked)) = (client.into_split(), server.into_split());
    let answers = task::spawn(async move { tokio::io::copy(&mut tells, &mut is_told).await });
    let mut part = [0; 4096];
    loop {
        let length = asks.read(&mut part).await?;
        if length == 0 {
            answers.abort();
            return Ok(());
        }
        if String::from_utf8_lossy(&part[..length]).contains("overtaken") {
            gate.reached.notify_one();
            gate.open.notified().await;
        }
        is_asked.write_all(&part[..length]).await?;
    }
}

async fn a_connection_is_closed_when_its_cancel_is_not_taken_and_its_session_is_gone() {
    let postgres = database();
    let (config, at) = target(postgres);
    let relay = TcpListener::bind("127.0.0.1:0").await.expect("loopback works");
    let relayed = relay.local_addr().expect("loopback works");
    let session = Session::connect(&config, move || TcpStream::connect(relayed));
    // The first connection is passed on, and those of its cancels are never taken.
    let passed = task::spawn(async move {
        let (client, _) = relay.accept().await?;
        let outcome = pass_on(client, at, Arc::default()).await;
        drop(relay);
        outcome
    });
    canceled(&mut session.await.expect("it takes connections"), postgres, "left").await;
    let closed = timeout(PATIENCE, passed).await.expect("the connection is closed");
    closed.expect("it does not panic").expect("it is closed without an error");
}

async fn a_cancel_that_overtakes_its_query_is_sent_again_until_that_ends() {
    let postgres = database();
    let (config, at) = target(postgres);
    let relay = TcpListener::bind("127.0.0.1:0").await.expect("loopback works");
    let relayed = relay.local_addr().expect("loopback works");
    let gate = Arc::new(Gate::default());
    let opens = gate.clone();
    task::spawn(async move {
        let (client, _) = relay.accept().await?;
        task::spawn(pass_on(client, at, opens.clone()));
        // All others are cancel requests.
        while let Ok((mut client, _)) = relay.accept().await {
            let mut request = [0; 16];
            client.read_exact(&mut request).await?;
            let mut server = TcpStream::connect(at).await?;
            server.write_all(&request).await?;
            assert_eq!(server.read(&mut [0]).await?, 0);
            opens.open.notify_one();
        }
        io::Result::Ok(())
    });
    let mut session =
        Session::connect(&config, move || TcpStream::connect(relayed)).await.expect("it takes connections");
    let (ctx, cancel) = Context::background().with_cancel();
    let (outcome, ()) = tokio::join!(minute(&mut session, &ctx, "overtaken"), async {
        gate.reached.notified().await;
        cancel.cancel();
    });
    assert!(matches!(outcome, Err(Error::Ended(_))), "{outcome:?}");
    let next = timeout(PATIENCE, answer(&mut session, 2)).await.expect("the query was canceled");
    assert_eq!(next.expect("it answers"), 2);
}
