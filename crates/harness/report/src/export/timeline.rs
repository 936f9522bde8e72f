//! A run over time, in Chrome's trace event format, as <https://ui.perfetto.dev> opens it.
//!
//! Requests and their work are asynchronous events (`b` and `e`), because they overlap and no stack holds them. All of
//! one request share its id; `request`, `work` and `zombie` are categories, so that each has a line of its own. Storms
//! are counters (`C`). A server is a process. Measurements that were taken one after the other follow each other here,
//! a second apart; the servers' turns lie below each other, as if they had been taken together.

use std::collections::BTreeMap;

use measure::results::Results;
use measure::storm::Storm;
use measure::zombie::{Fate, Life};
use serde_json::{Value, json};

/// From the end of one measurement to the begin of the next, in milliseconds.
pub(super) const APART: f64 = 1000.0;

/// The document.
pub fn render(results: &Results) -> String {
    let mut timeline = Timeline { results, events: Vec::new() };
    for (index, name) in results.names().iter().enumerate() {
        let pid = index + 1;
        timeline.events.push(json!({"ph": "M", "pid": pid, "name": "process_name", "args": {"name": name}}));
        timeline
            .events
            .push(json!({"ph": "M", "pid": pid, "name": "process_sort_index", "args": {"sort_index": pid}}));
    }
    let mut begin = 0.0;
    for (_, lives) in group(&results.measured.zombie, |life| life.round) {
        let last = lives.iter().map(|life| life.alive_ms().max(life.answered_ms.unwrap_or(0.0)));
        let last = last.fold(0.0, f64::max);
        for (number, life) in lives.into_iter().enumerate() {
            timeline.life(life, number, begin);
        }
        begin += last + APART;
    }
    for (_, storms) in group(&results.measured.storm, |storm| (storm.style.clone(), storm.round)) {
        let last = storms.iter().map(|storm| storm.after().at_ms).fold(0.0, f64::max);
        for storm in storms {
            timeline.storm(storm, begin);
        }
        begin += last + APART;
    }
    let document = json!({
        "displayTimeUnit": "ms",
        "otherData": {"taken_at": results.taken_at, "command": results.command.join(" ")},
        "traceEvents": timeline.events,
    });
    let mut text = document.to_string();
    text.push('\n');
    text
}

/// Groups in the order of their keys.
pub(super) fn group<T, K: Ord>(all: &[T], key: impl Fn(&T) -> K) -> BTreeMap<K, Vec<&T>> {
    let mut groups: BTreeMap<K, Vec<&T>> = BTreeMap::new();
    for one in all {
        groups.entry(key(one)).or_default().push(one);
    }
    groups
}

struct Timeline<'a> {
    results: &'a Results,
    events: Vec<Value>,
}

impl Timeline<'_> {
    /// The number of a server's process; 0 for one that was not compared.
    fn pid(&self, server: &str) -> usize {
        self.results.names().iter().position(|name| *name == server).map_or(0, |index| index + 1)
    }

    /// An asynchronous event from its begin to its end.
    fn span(&mut self, at: &Track<'_>, category: &str, from: f64, to: f64, args: Value) {
        let name = format!("{category} {}", at.style);
        for (phase, ms, args) in [("b", from, args), ("e", to, json!({}))] {
            self.events.push(json!({
                "ph": phase, "cat": category, "name": name, "id": at.id, "pid": at.pid, "tid": at.pid,
                "ts": micros(at.begin + ms), "args": args,
            }));
        }
    }

    /// One request, its work, and what of it nobody waited for.
    fn life(&mut self, life: &Life, number: usize, begin: f64) {
        let id = format!("tail-{}-{number}-{}", life.round, life.style);
        let at = Track { id: &id, style: &life.style, pid: self.pid(&life.server), begin };
        let answered = life.answered_ms.unwrap_or(life.watched_ms);
        let request =
            json!({"status": life.status, "deadline_ms": life.deadline_ms, "late_ms": life.late_ms()});
        self.span(&at, "request", 0.0, answered, request);
        let Some(started) = life.started_ms else { return };
        let zombie = match life.fate(self.results.limits.zombie_ms) {
            Fate::Zombie(ms) | Fate::Endless(ms) => Some(ms),
            _ => None,
        };
        let work = json!({
            "beats": life.beats, "beats_after": life.beats_after, "how": life.how, "zombie": zombie.is_some(),
        });
        self.span(&at, "work", started, life.alive_ms().max(started), work);
        if let Some(ms) = zombie {
            self.span(&at, "zombie", answered, life.alive_ms(), json!({"zombie_ms": ms}));
        }
    }

    /// A storm's readings as counters.
    fn storm(&mut self, storm: &Storm, begin: f64) {
        let pid = self.pid(&storm.server);
        for reading in &storm.readings {
            let counters = [
                ("storm", json!({"requests": reading.requests, "work": reading.work})),
                ("storm, zombies", json!({"zombies": reading.work.saturating_sub(reading.requests)})),
                ("threads", json!({"threads": reading.threads})),
                ("memory", json!({"pss": reading.pss})),
            ];
            for (name, args) in counters {
                let ts = micros(begin + reading.at_ms);
                self.events.push(json!({
                    "ph": "C", "name": name, "cat": storm.style, "pid": pid, "tid": pid, "ts": ts, "args": args,
                }));
            }
        }
    }
}

/// Where a request's events go.
struct Track<'a> {
    id: &'a str,
    style: &'a str,
    pid: usize,
    begin: f64,
}

/// Microseconds, which is the format's unit.
fn micros(ms: f64) -> f64 {
    (ms * 1e3).round()
}

#[cfg(test)]
mod tests {
    use measure::fixtures::whole;

    use super::*;

    fn events() -> Vec<Value> {
        let document: Value = serde_json::from_str(&render(&whole())).unwrap();
        document["traceEvents"].as_array().unwrap().clone()
    }

    /// Pairs begins and ends as a viewer does: by category, id and process.
    fn spans() -> Vec<(String, f64, f64)> {
        let (mut open, mut closed) = (BTreeMap::new(), Vec::new());
        for event in events() {
            let key = format!("{} {} {}", event["cat"], event["id"], event["pid"]);
            let at = event["ts"].as_f64().unwrap_or(0.0);
            match event["ph"].as_str().unwrap() {
                "b" => assert!(open.insert(key, at).is_none(), "begun twice"),
                "e" => {
                    let category = event["cat"].as_str().unwrap().to_owned();
                    closed.push((category, open.remove(&key).expect("begun before it ends"), at));
                }
                _ => {}
            }
        }
        assert!(open.is_empty(), "not ended: {open:?}");
        closed
    }

    #[test]
    fn every_event_that_begins_ends_and_not_before_it_began() {
        let spans = spans();
        assert!(spans.iter().all(|(_, from, to)| from <= to));
        assert!(spans.iter().any(|(category, _, _)| category == "work"));
    }

    #[test]
    fn a_zombie_begins_with_its_answer_and_ends_with_its_work() {
        let spans = spans();
        let zombie = spans.iter().find(|(category, _, _)| category == "zombie").unwrap();
        let work = spans.iter().find(|(category, _, to)| category == "work" && *to == zombie.2);
        assert!(work.is_some());
        assert_eq!(zombie.1, 301_000.0);
    }

    #[test]
    fn servers_are_named_processes_and_storms_are_counters() {
        let events = events();
        let names: Vec<_> = events.iter().filter(|event| event["name"] == "process_name").collect();
        assert_eq!(names[0]["args"]["name"], "tokio");
        let counters: Vec<_> = events.iter().filter(|event| event["ph"] == "C").collect();
        assert!(counters.iter().any(|event| event["args"]["work"].as_u64() > Some(0)));
        assert!(counters.iter().all(|event| event["ts"].as_f64() > Some(0.0)));
    }
}
