//! A chain of servers, and the budgets on it.

use std::time::{Duration, Instant};

use suite::hops::{self, Hop};
use testbed::chain::{self, Link};
use testbed::subject::Subject;
use wire::trace::Trace;
use wire::{Answer, Leave, Request, Wire};

use crate::{Failed, figures, give_up, ms};

/// The time that each link keeps of its budget.
const RESERVE: Duration = Duration::from_millis(5);

fn start(subjects: &[&Subject]) -> Result<Vec<Link>, Failed> {
    Ok(chain::start(subjects, &["--request-timeout", "60s", "--reserve", "5ms"], ms(20_000))?)
}

fn request(links: usize, id: &str, work: Duration, timeout: Duration) -> Request {
    let (work, hops) = (work.as_millis(), links - 1);
    Request::get(format!("/slow?style=upstream&hops={hops}&work={work}ms&tick=1ms")).timeout(timeout).id(id)
}

fn name(subjects: &[&Subject]) -> String {
    subjects.iter().map(|subject| subject.name()).collect::<Vec<_>>().join(" → ")
}

/// Sends a request to the first server; returns its connection and when it was sent.
fn send(links: &[Link], request: &Request) -> Result<(Wire, Instant), Failed> {
    let address = links.first().ok_or("a chain of no servers")?.tap.address();
    let mut wire = Wire::connect(address, give_up(), &Trace::default())?.with_host(&address.to_string());
    let sent_at = wire.send_request(request)?;
    Ok((wire, sent_at))
}

/// Waits until the work of `id` has begun in every server.
fn all_begin(links: &[Link], id: &str) -> Result<(), Failed> {
    for link in links {
        let began = link.witness.wait_start(id, ms(10_000));
        began.ok_or_else(|| format!("{id}: the work did not begin in {}", link.name))?;
    }
    Ok(())
}

/// Waits until the work of `id` has ended in every server; returns the accounts of each.
fn all_end(links: &[Link], id: &str, sent_at: Instant) -> Result<Vec<Hop>, Failed> {
    for link in links {
        let ended = link.witness.wait_end(id, ms(10_000));
        ended.ok_or_else(|| format!("{id}: the work did not end in {}", link.name))?;
    }
    Ok(hops::of(links, id, sent_at)?)
}

fn millis(ms: f64) -> Duration {
    Duration::from_secs_f64(ms.max(0.0) / 1e3)
}

/// Takes the time from the leave of the root's client to the last sign of work in any server.
pub(crate) fn leaves(subjects: &[&Subject], each: usize) -> Result<(), Failed> {
    let links = start(subjects)?;
    let mut took = Vec::new();
    for number in 0..each {
        let id = format!("leave-{number}");
        let (wire, sent_at) = send(&links, &request(links.len(), &id, ms(30_000), ms(40_000)))?;
        all_begin(&links, &id)?;
        let leave = if number % 2 == 0 { Leave::Fin } else { Leave::Rst };
        let (left_at, _) = leave.act(wire);
        let left_ms = left_at.saturating_duration_since(sent_at).as_secs_f64() * 1e3;
        let last = all_end(&links, &id, sent_at)?.iter().filter_map(|hop| hop.last_ms).fold(0.0, f64::max);
        took.push(millis(last - left_ms));
    }
    let figure = format!("{} hops: last work after the client left", links.len());
    figures::times(&figure, &name(subjects), took, "");
    Ok(())
}

/// Takes the time from each server's own deadline to the last sign of its work, and counts the answers that were wrong.
pub(crate) fn deadlines(subjects: &[&Subject], each: usize) -> Result<(), Failed> {
    let links = start(subjects)?;
    let (mut took, mut wrong, mut beyond) = (Vec::new(), 0, 0);
    let timeout = ms(150);
    for number in 0..each {
        let id = format!("deadline-{number}");
        let (mut wire, sent_at) = send(&links, &request(links.len(), &id, ms(30_000), timeout))?;
        let answer: Answer = wire.answer()?;
        wrong += usize::from(answer.status() != 504 || answer.after() < timeout);
        let hops = all_end(&links, &id, sent_at)?;
        let late = |hop: &Hop| Some(millis(hop.last_ms? - hop.asked_ms? - hop.budget_ms?));
        took.push(hops.iter().filter_map(late).max().unwrap_or_default());
        // A server that is later than its own deadline by the reserve is later than its caller's.
        beyond += hops.windows(2).filter(|pair| late(&pair[1]).is_some_and(|late| late >= RESERVE)).count();
    }
    let told = format!(
        "{wrong} answers early or no 504; {beyond} of {} links silent only after their caller's deadline",
        each * (links.len() - 1)
    );
    let figure = format!("{} hops: last work after the server's own deadline", links.len());
    figures::times(&figure, &name(subjects), took, &told);
    Ok(())
}

/// Reads the budget before each server of the chain, and counts the requests in which they strictly fall and the work that
/// was started with no time left. Every other request has so little time that it does not reach the end of the chain.
pub(crate) fn budgets(subjects: &[&Subject], requests: usize) -> Result<(), Failed> {
    let links = start(subjects)?;
    let (mut sent, mut served) = (Vec::new(), 0);
    for number in 0..requests {
        let id = format!("budget-{number}");
        let short = number % 2 == 1;
        let timeout = if short { ms(1 + number as u64 / 2 % 30) } else { ms(10_000) };
        let (mut wire, sent_at) = send(&links, &request(links.len(), &id, ms(1), timeout))?;
        served += usize::from(wire.answer()?.status() == 200);
        sent.push((id, sent_at));
    }
    // A call that was given up may still be on its way.
    std::thread::sleep(ms(500));
    let (mut falling, mut whole, mut begun, mut none_left, mut behind) = (0, 0, 0, 0, 0);
    for (id, sent_at) in &sent {
        let hops = hops::of(&links, id, *sent_at)?;
        let budgets: Vec<f64> = hops.iter().filter_map(|hop| hop.budget_ms).collect();
        falling += usize::from(budgets.windows(2).all(|pair| pair[1] < pair[0]));
        whole += usize::from(budgets.len() == links.len());
        for hop in hops.iter().filter(|hop| hop.began_ms.is_some()) {
            begun += 1;
            none_left += usize::from(hop.budget_ms.is_none_or(|budget| budget <= 0.0));
            // A server counts from when it has read the head, and its first heartbeat takes its time, too.
            let ends_at = hop.asked_ms.zip(hop.budget_ms).map(|(asked, budget)| asked + budget);
            behind += usize::from(ends_at.is_some_and(|ends_at| hop.began_ms >= Some(ends_at)));
        }
    }
    let told = format!(
        "strictly falling in {falling}; {whole} reached the last server, {served} answered 200; of {begun} works {none_left} \
         begun with no time left, {behind} heard later than their time after the request went by"
    );
    let figure = format!("budgets along {} hops", links.len());
    figures::count(&figure, &name(subjects), requests as u64, &told);
    Ok(())
}
