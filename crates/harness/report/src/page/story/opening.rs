//! The one picture and the one sentence on top of the page: the same request, once stopped and once not.

use measure::results::Results;
use measure::text::{span, tied};
use measure::zombie::{Fate, Life, STYLES};

use super::{about, plain};
use crate::page::lanes::{self, LanesPicture, Shown};

/// The top of the page: a sentence and a picture.
#[derive(Debug)]
pub struct Opening {
    /// The result of the run, in words that need no other.
    pub sentence: String,
    /// The same as a picture.
    pub picture: LanesPicture,
}

/// A life whose work stopped, and one whose work went on.
struct Pair<'a> {
    good: Option<&'a Life>,
    bad: Option<&'a Life>,
}

/// Returns what the page of a run opens with; `None` where no work was timed out.
pub fn of(results: &Results) -> Option<Opening> {
    let pair = Pair::of(results);
    let (deadline, work) = (results.plan.zombie.deadline_ms as f64, results.plan.zombie.work_ms as f64);
    let ends = pair.told(results)?;
    let sentence =
        format!("A client asked for {} of work and waited for {}. {ends}", span(work), span(deadline));
    let words = |life: &Life| match pair.is_one_server() {
        true => format!("Work that {}", brief(&life.style)),
        false => format!("Server {}", life.server),
    };
    let lives = pair.good.into_iter().chain(pair.bad);
    let shown: Vec<_> = lives.map(|life| Shown { words: words(life), of: String::new(), life }).collect();
    let title = "The same request to two servers, and its work";
    let title = if pair.is_one_server() || shown.len() < 2 {
        "A request that times out, and its work"
    } else {
        title
    };
    Some(Opening { sentence: tied(&sentence), picture: lanes::picture(results, "opening", title, &shown) })
}

/// Returns the life of a style whose work stopped, of the first server that is wanted and has one.
pub(super) fn stopped<'a>(
    results: &'a Results,
    style: &str,
    wanted: impl Fn(&str) -> bool,
) -> Option<&'a Life> {
    let limit = results.limits.zombie_ms;
    let names = results.names().into_iter().filter(|name| wanted(name));
    let mut lives = names.filter_map(|name| results.measured.worst_of(name, style, limit));
    lives.find(|life| matches!(life.fate(limit), Fate::Stopped(_)))
}

/// Returns the life of a style whose work went on for longest.
pub(super) fn zombie<'a>(
    results: &'a Results,
    style: &str,
    wanted: impl Fn(&str) -> bool,
) -> Option<&'a Life> {
    let limit = results.limits.zombie_ms;
    let names = results.names().into_iter().filter(|name| wanted(name));
    let lives = names.filter_map(|name| results.measured.worst_of(name, style, limit));
    let length = |life: &&Life| match life.fate(limit) {
        Fate::Zombie(ms) => Some(ms),
        Fate::Endless(ms) => Some(ms + 1e9),
        _ => None,
    };
    lives
        .filter(|life| length(life).is_some())
        .max_by(|a, b| length(a).unwrap_or(0.0).total_cmp(&length(b).unwrap_or(0.0)))
}

/// Returns the words of a style up to what becomes of its work.
fn brief(style: &str) -> &'static str {
    let words = plain(style);
    words.split(';').next().unwrap_or(words)
}

impl<'a> Pair<'a> {
    /// Finds two styles of one server, of which one stopped and one did not; else a style that one server stopped and
    /// another did not.
    fn of(results: &'a Results) -> Self {
        let bad = STYLES.iter().find_map(|style| zombie(results, style, |_| true));
        let same = |name: &str| bad.is_none_or(|bad| bad.server == name);
        // The code decides more than the server does, so one server stands first.
        if let Some(good) = STYLES.iter().find_map(|style| stopped(results, style, same)) {
            return Self { good: Some(good), bad };
        }
        let both =
            |style: &&str| Some((stopped(results, style, |_| true)?, zombie(results, style, |_| true)?));
        // "drop" tells runtimes apart by nothing but themselves.
        let mut styles: Vec<&&str> = STYLES.iter().collect();
        styles.sort_by_key(|style| **style != "drop");
        if let Some((good, bad)) = styles.iter().find_map(|style| both(style)) {
            return Self { good: Some(good), bad: Some(bad) };
        }
        let good = STYLES.iter().find_map(|style| stopped(results, style, |_| true));
        Self { good, bad }
    }

    fn is_one_server(&self) -> bool {
        matches!((self.good, self.bad), (Some(good), Some(bad)) if good.server == bad.server)
    }

    /// Returns what followed, in a sentence.
    fn told(&self, results: &Results) -> Option<String> {
        let limit = results.limits.zombie_ms;
        let named = |life: &Life| match about(results, &life.server) {
            Some(about) => format!("“{}” ({about})", life.server),
            None => format!("“{}”", life.server),
        };
        let went_on = |life: &Life| match life.fate(limit) {
            Fate::Endless(ms) => format!("went on for more than {}", span(ms)),
            _ => format!("went on for another {}", span(life.tail_ms().unwrap_or(0.0))),
        };
        let error = "Then it was told “too late”, and left.";
        Some(match (self.good, self.bad) {
            (Some(good), Some(bad)) if good.server == bad.server => format!(
                "{error} On the server {}, work that {} has stopped; work that {} {}, for nobody.",
                named(good),
                brief(&good.style),
                brief(&bad.style),
                went_on(bad)
            ),
            (Some(good), Some(bad)) => format!(
                "{error} The server {} stopped working; on the server {} the work {}, for nobody.",
                named(good),
                named(bad),
                went_on(bad)
            ),
            (Some(_), None) => format!("{error} No server worked on for longer than {}.", span(limit)),
            (None, Some(bad)) => {
                format!("{error} On the server {} the work {}, for nobody.", named(bad), went_on(bad))
            }
            (None, None) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use measure::fixtures::{empty, life};

    use super::*;

    fn told(lives: &[(&str, &str, f64)]) -> Opening {
        let mut results = empty(&["tokio", "threads"]);
        results.measured.zombie =
            lives.iter().map(|(server, style, tail)| life(server, style, *tail)).collect();
        of(&results).unwrap()
    }

    #[test]
    fn the_same_work_that_one_server_stopped_and_another_did_not_stands_on_top() {
        let opening = told(&[
            ("tokio", "detached", 2699.0),
            ("threads", "detached", 2600.0),
            ("tokio", "drop", 0.2),
            ("threads", "drop", 2500.0),
        ]);
        let words: Vec<_> = opening.picture.lanes.iter().map(|lane| lane.name.as_str()).collect();
        assert_eq!(words, ["Server tokio", "Server threads"]);
        assert!(
            opening.sentence.ends_with(
                "The server “tokio” stopped working; on the server “threads” the work went on for another 2.50\u{a0}s, for nobody."
            ),
            "{}",
            opening.sentence
        );
    }

    #[test]
    fn of_one_server_two_ways_to_write_the_work_are_compared() {
        let opening = told(&[("tokio", "context", 0.2), ("tokio", "detached", 2699.0)]);
        assert!(opening.sentence.contains("On the server “tokio”, work that asks"), "{}", opening.sentence);
        assert_eq!(opening.picture.lanes.len(), 2);
    }

    #[test]
    fn without_zombies_nothing_is_blamed_and_without_timeouts_nothing_is_said() {
        let opening = told(&[("tokio", "context", 0.2)]);
        assert!(
            opening.sentence.ends_with("No server worked on for longer than 25\u{a0}ms."),
            "{}",
            opening.sentence
        );
        assert!(of(&empty(&["tokio"])).is_none());
    }
}
