//! Runs scenarios against servers, side by side: the one place where that happens.
//!
//! Nearly all of a scenario's time is waiting, so many run at once; [`slots`](crate::slots) says which may.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use testbed::abreast;
use testbed::subject::Subject;

use crate::document::Row;
use crate::expect::Expectations;
use crate::profile::Profile;
use crate::reach;
use crate::runner::Runner;
use crate::scenario::Scenario;
use crate::scenarios::{self, GATE};
use crate::verdict::Verdict;

/// A server to judge.
#[derive(Debug)]
pub struct Entry {
    /// The server.
    pub subject: Subject,
    /// Its known deviations.
    pub expectations: Expectations,
    /// The scenarios it is judged by, in the order of its rows.
    pub scenarios: Vec<&'static Scenario>,
    /// Ids of scenarios that are tried once, however often the profile tries a miss.
    pub once: BTreeSet<&'static str>,
    /// True when every scenario gets the machine to itself, whatever it needs.
    pub alone: bool,
    /// The reason why the areas of `/slow` are not run, but for one scenario: it is never answered.
    pub unanswered: Option<String>,
}

impl Entry {
    /// A server judged by these scenarios, each as often and as much apart as it needs.
    pub fn new(subject: Subject, expectations: Expectations, scenarios: Vec<&'static Scenario>) -> Self {
        Self { subject, expectations, scenarios, once: BTreeSet::new(), alone: false, unanswered: None }
    }
}

/// The way in which scenarios are run.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The tolerances, and how often a miss is tried.
    pub profile: Profile,
    /// The number of scenarios that run at once.
    pub jobs: usize,
    /// True to keep the trace of every scenario, and not only of those that miss.
    pub keep_traces: bool,
    /// True to run [`GATE`] first on each server, and nothing else on a server that fails it.
    pub gate: bool,
}

/// Servers and the scenarios that they are judged by.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    lanes: Vec<Lane>,
}

/// One server of a session.
#[derive(Debug)]
struct Lane {
    runner: Runner,
    scenarios: Vec<&'static Scenario>,
    once: BTreeSet<&'static str>,
    unanswered: Option<String>,
}

/// A server and one of its scenarios, both by their number.
type Job = (usize, usize);

impl Session {
    /// A session of these servers; nothing runs yet.
    pub fn new(entries: Vec<Entry>, settings: Settings) -> Self {
        let lane = |entry: Entry| {
            let mut planned = entry.scenarios.clone();
            if settings.gate && !planned.is_empty() && !planned.iter().any(|one| is_gate(one)) {
                planned.push(scenarios::gate());
            }
            let runner = Runner::new(entry.subject, settings.profile, entry.expectations, &planned)
                .keep_traces(settings.keep_traces)
                .alone(entry.alone);
            let mut once = entry.once;
            // One wait that is known to be in vain is enough.
            once.extend(entry.unanswered.is_some().then_some(reach::CANARY));
            Lane { runner, scenarios: entry.scenarios, once, unanswered: entry.unanswered }
        };
        Self { settings, lanes: entries.into_iter().map(lane).collect() }
    }

    /// Runs every scenario of every server. `observe` is given each row as it comes, from several threads.
    ///
    /// Returns the rows of each server, in the order of its scenarios. The row of a gate that nobody asked for is among
    /// them, as the first, when the gate was not passed: it says why the others were not run.
    pub fn run(&self, observe: &(dyn Fn(&Row) + Sync)) -> Vec<Vec<Row>> {
        let rows: Mutex<Vec<(Job, Row)>> = Mutex::new(Vec::new());
        let keep = |job: Job, row: Row| {
            observe(&row);
            rows.lock().push((job, row));
        };
        let admitted: Vec<usize> =
            (0..self.lanes.len()).filter(|lane| !self.settings.gate || self.admits(*lane, &keep)).collect();
        admitted.iter().for_each(|lane| self.skip(*lane, &keep));
        abreast::each(self.settings.jobs, &self.jobs(&admitted), |(lane, index)| {
            keep((*lane, *index + 1), self.judge(*lane, self.lanes[*lane].scenarios[*index]));
        });
        let mut rows = rows.into_inner();
        rows.sort_by_key(|(job, _)| *job);
        let mut sorted: Vec<Vec<Row>> = self.lanes.iter().map(|_| Vec::new()).collect();
        for ((lane, _), row) in rows {
            sorted[lane].push(row);
        }
        sorted
    }

    /// Runs one scenario on the server with this number.
    pub fn judge(&self, lane: usize, scenario: &'static Scenario) -> Row {
        let Lane { runner, once, .. } = &self.lanes[lane];
        let most = if once.contains(scenario.id) { 1 } else { self.settings.profile.attempts() };
        runner.run_up_to(scenario, most)
    }

    /// Runs the gate on a server; one that does not pass it gets its other rows here.
    fn admits(&self, lane: usize, keep: &impl Fn(Job, Row)) -> bool {
        let Lane { runner, scenarios, .. } = &self.lanes[lane];
        if scenarios.is_empty() {
            return true;
        }
        let row = self.judge(lane, scenarios::gate());
        let asked = scenarios.iter().position(|one| is_gate(one));
        let (passed, observed) = (row.verdict == Verdict::Pass, row.observed.clone());
        match asked {
            Some(index) => keep((lane, index + 1), row),
            None if !passed => keep((lane, 0), row),
            None => {}
        }
        if !passed {
            let why = format!("not run: {GATE} failed, so this is no lab server ({observed})");
            for (index, one) in scenarios.iter().enumerate().filter(|(_, one)| !is_gate(one)) {
                let row = Row::whole_server(runner.subject().name(), one.id, Verdict::Error, why.clone());
                keep((lane, index + 1), row);
            }
        }
        passed
    }

    /// Gives the scenarios that are not worth a wait their rows.
    fn skip(&self, lane: usize, keep: &impl Fn(Job, Row)) {
        let Lane { runner, scenarios, unanswered, .. } = &self.lanes[lane];
        let Some(why) = unanswered else { return };
        for (index, one) in scenarios.iter().enumerate().filter(|(_, one)| is_idle(unanswered, one)) {
            let why = format!("not run: {why}");
            keep((lane, index + 1), Row::whole_server(runner.subject().name(), one.id, Verdict::Error, why));
        }
    }

    /// Every server and scenario, each scenario when its turn has come, and servers in turn.
    fn jobs(&self, lanes: &[usize]) -> Vec<Job> {
        let mut jobs: Vec<Job> = Vec::new();
        for lane in lanes {
            let asked = self.lanes[*lane].scenarios.iter().enumerate();
            let unanswered = &self.lanes[*lane].unanswered;
            let left = asked
                .filter(|(_, one)| !self.settings.gate || !is_gate(one))
                .filter(|(_, one)| !is_idle(unanswered, one));
            jobs.extend(left.map(|(index, _)| (*lane, index)));
        }
        jobs.sort_by_key(|(lane, index)| (self.lanes[*lane].scenarios[*index].turn(), *index, *lane));
        jobs
    }
}

/// True for a scenario that would only wait for `/slow`, which is never answered.
fn is_idle(unanswered: &Option<String>, scenario: &Scenario) -> bool {
    unanswered.is_some() && reach::OF_SLOW.contains(&scenario.area()) && scenario.id != reach::CANARY
}

fn is_gate(scenario: &Scenario) -> bool {
    scenario.id == GATE
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use testbed::port::Refusing;

    use super::*;
    use crate::scenario::Slot;
    use crate::verdict::Failure;

    const SETTINGS: Settings = Settings { profile: Profile::Lab, jobs: 2, keep_traces: false, gate: false };

    /// A server that refuses every connection.
    fn entry(scenarios: Vec<&'static Scenario>) -> Entry {
        static NOWHERE: LazyLock<Refusing> = LazyLock::new(|| Refusing::hold().unwrap());
        let subject = Subject::at(&format!("http://{}", NOWHERE.address()), None).unwrap();
        Entry::new(subject, Expectations::default(), scenarios)
    }

    #[test]
    fn servers_take_turns_and_a_scenario_that_needs_the_machine_comes_last() {
        let all = scenarios::all();
        let entries = vec![entry(all.clone()), entry(all.clone())];
        let session = Session::new(entries, Settings { gate: true, ..SETTINGS });
        let jobs = session.jobs(&[0, 1]);
        assert_eq!(jobs.len(), 2 * (all.len() - 1));
        assert!(jobs.chunks(2).all(|pair| (pair[0].0, pair[1].0, pair[0].1) == (0, 1, pair[1].1)));
        assert!(jobs.iter().map(|(_, index)| all[*index].turn()).is_sorted());
        assert_eq!(jobs.last().map(|(_, index)| all[*index].slot), Some(Slot::Exclusive));
    }

    #[test]
    fn a_server_that_fails_the_gate_is_asked_nothing_else() {
        let asked = scenarios::select("values").unwrap();
        let session = Session::new(vec![entry(asked.clone())], Settings { gate: true, ..SETTINGS });
        let seen = Mutex::new(Vec::new());
        let rows = session.run(&|row| seen.lock().push(row.id.clone())).remove(0);
        assert_eq!(rows[0].id, GATE);
        assert_eq!(rows[0].verdict, Verdict::Fail);
        assert_eq!(rows.len(), asked.len() + 1);
        assert!(rows[1..].iter().all(|row| row.attempts == 0 && row.verdict == Verdict::Error));
        assert_eq!(seen.into_inner().len(), rows.len());
    }

    #[test]
    fn the_areas_of_slow_are_skipped_when_it_is_never_answered() {
        let asked = scenarios::select("deadline,values").unwrap();
        let mut entry = entry(asked.clone());
        entry.unanswered = Some("nothing came back".to_owned());
        let session = Session::new(vec![entry], SETTINGS);
        let rows = session.run(&|_| {}).remove(0);
        let skipped = |row: &&Row| row.observed == "not run: nothing came back" && row.attempts == 0;
        let deadlines = asked.iter().filter(|one| one.area() == "deadline").count();
        assert_eq!(rows.iter().filter(skipped).count(), deadlines - 1);
        let canary = rows.iter().find(|row| row.id == reach::CANARY).expect("it is asked for");
        assert_eq!((canary.attempts, canary.verdict, rows.len()), (1, Verdict::Fail, asked.len()));
        assert!(reach::OF_SLOW.iter().all(|area| !scenarios::select(area).unwrap().is_empty()));
    }

    #[test]
    fn rows_come_in_the_order_that_was_asked_for_and_once_means_once() {
        static SLOW: Scenario =
            Scenario { id: "x/slow", run: |_| Err(Failure::broken("as ever")), ..Scenario::BASE };
        static QUICK: Scenario = Scenario { id: "x/quick", slot: Slot::Exclusive, ..SLOW };
        let mut entry = entry(vec![&QUICK, &SLOW]);
        entry.once.insert("x/slow");
        let session = Session::new(vec![entry], Settings { profile: Profile::Ci, ..SETTINGS });
        let rows = session.run(&|_| {}).remove(0);
        let seen: Vec<_> = rows.iter().map(|row| (row.id.as_str(), row.attempts)).collect();
        assert_eq!(seen, [("x/quick", 2), ("x/slow", 1)]);
    }
}
