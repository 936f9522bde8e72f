//! Queries: how soon a canceled one is gone, and what a pool of connections comes to under many cancels.

use std::time::{Duration, Instant};

use testbed::census::Census;
use testbed::postgres::{self, Client, Postgres};
use testbed::server::Server;
use testbed::subject::Subject;
use wire::burst::Burst;
use wire::{Leave, Request};

use crate::{Failed, figures, give_up, ms, send, start};

/// Connections of the pool.
const SLOTS: usize = 8;
/// The line that PostgreSQL logs for each query that it ended for a cancel.
const CANCELED: &str = "canceling statement due to user request";

fn request(id: &str, work: Duration, timeout: Duration) -> Request {
    Request::get(format!("/slow?style=query&work={}us", work.as_micros())).timeout(timeout).id(id)
}

/// Counts the queries that run for ids that begin with `id`.
fn running(client: &mut Client, id: &str) -> Result<usize, Failed> {
    let active = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND starts_with(query, ";
    Ok(client.rows(&format!("{active}'/* {id}')"))?.len())
}

/// Waits until `count` of them run.
fn until(client: &mut Client, id: &str, count: usize) -> Result<Instant, Failed> {
    let patience = give_up();
    while running(client, id)? != count {
        if Instant::now() > patience {
            return Err(format!("not {count} queries of {id} within a minute").into());
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    Ok(Instant::now())
}

fn front(subject: &Subject) -> Result<(&'static Postgres, Server, Client), Failed> {
    let postgres = postgres::shared()?;
    let server = start(subject, &["--database", postgres.url()])?;
    let client = postgres.connect()?;
    Ok((postgres, server, client))
}

/// Takes the time from the deadline, or from the client's leave, to the moment at which the query is gone.
pub(crate) fn gone(subject: &Subject, each: usize) -> Result<(), Failed> {
    let (_, server, mut client) = front(subject)?;
    let (mut cut, mut left) = (Vec::new(), Vec::new());
    for number in 0..each {
        let (id, timeout) = (format!("{}-cut-{number}.", subject.name()), ms(150));
        let (mut wire, sent_at) = send(&server, &request(&id, ms(30_000), timeout))?;
        until(&mut client, &id, 1)?;
        wire.answer()?;
        let gone_at = until(&mut client, &id, 0)?;
        cut.push(gone_at.saturating_duration_since(sent_at + timeout));
        let id = format!("{}-left-{number}.", subject.name());
        let (wire, _) = send(&server, &request(&id, ms(30_000), ms(30_000)))?;
        until(&mut client, &id, 1)?;
        let leave = if number % 2 == 0 { Leave::Fin } else { Leave::Rst };
        let (left_at, _) = leave.act(wire);
        left.push(until(&mut client, &id, 0)?.saturating_duration_since(left_at));
    }
    figures::times("query gone after its deadline", subject.name(), cut, "");
    figures::times("query gone after FIN or RST", subject.name(), left, "");
    Ok(())
}

/// Cancels `canceled` queries in a pool that others use, most of them near their end; counts the others that were hit, and
/// the slots that are left.
pub(crate) fn pool(subject: &Subject, canceled: u64) -> Result<(), Failed> {
    let (postgres, server, mut client) = front(subject)?;
    let admin = server.admin().ok_or("the server has no census")?;
    let logged = || postgres.log().map(|log| log.matches(CANCELED).count() as u64).unwrap_or(0);
    let before = logged();
    let (mut others, mut hit, mut number) = (0_u64, 0_u64, 0_u64);
    let began = Instant::now();
    let mut counted = 0;
    while counted < canceled {
        let mut named = |work, timeout| {
            number += 1;
            request(&format!("{}-pool-{number}.", subject.name()), work, timeout)
        };
        // A query of the first eight ends between 2 ms before its cancel and 5 ms behind it; the others wait for a slot first.
        let doomed = (0..16).map(|at| named(ms(8) + at % 8 * ms(1), ms(10) * (1 + at / 8))).collect();
        let spared = (0..4).map(|_| named(ms(4), ms(30_000))).collect();
        let doomed = Burst::launch(server.address(), doomed, give_up())?;
        let spared = Burst::launch(server.address(), spared, give_up())?;
        doomed.finish()?;
        for shot in spared.finish()? {
            others += 1;
            hit += u64::from(shot.status() != Some(200));
        }
        counted = Census::read(admin)?.work.canceled;
    }
    let took = began.elapsed();
    let prefix = format!("{}-pool-", subject.name());
    until(&mut client, &prefix, 0)?;
    let ended = logged() - before;
    let mut held = Vec::new();
    for at in 0..=SLOTS {
        held.push(send(&server, &request(&format!("{prefix}last-{at}."), ms(2000), ms(30_000)))?);
    }
    std::thread::sleep(ms(1000));
    let serve = running(&mut client, &prefix)?;
    let told = format!(
        "{hit} of {others} other queries hit; {serve} of {SLOTS} slots serve; {} cancels came too late; {took:.0?}",
        counted.saturating_sub(ended)
    );
    figures::count("canceled queries in a pool of 8", subject.name(), counted, &told);
    Ok(())
}
