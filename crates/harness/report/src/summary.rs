//! The summary of a run: sentences made from the figures.

use measure::overshoot::Overshoot;
use measure::results::Results;
use measure::stats::Summary;
use measure::storm::Storm;
use measure::text::{ALIKE, list, megabytes, number, range, span, those};
use measure::zombie::Fate;

/// The worst that became of a server's work in a style; `None` when it was not measured.
pub fn worst(results: &Results, server: &str, style: &str) -> Option<Fate> {
    let fates = results.measured.lives_of(server, style);
    let fates = fates.iter().map(|life| life.fate(results.limits.zombie_ms));
    fates.max_by(|a, b| severity(*a).total_cmp(&severity(*b)))
}

/// Orders fates: their kind counts first, and the longer is the worse.
fn severity(fate: Fate) -> f64 {
    const KIND: f64 = 1e9;
    match fate {
        Fate::Stopped(ms) => ms,
        Fate::HeldAnswer(ms) => KIND + ms,
        Fate::Unborn => 2.0 * KIND,
        Fate::NoTimeout => 3.0 * KIND,
        Fate::Zombie(ms) => 4.0 * KIND + ms,
        Fate::Endless(ms) => 5.0 * KIND + ms,
    }
}

/// The fate of a server's work, style by style: what the headline says of it.
#[derive(Default, PartialEq)]
struct Claim {
    /// Styles whose work went on after the answer.
    zombies: Vec<&'static str>,
    /// Styles whose work ended with the answer, or before it.
    clean: Vec<&'static str>,
    /// Styles whose requests were not timed out.
    untimed: Vec<&'static str>,
    /// Styles of whose work no start was heard.
    unheard: Vec<&'static str>,
}

impl Claim {
    /// The claim of a server and the longest of its zombies; `None` when nothing was measured of it.
    fn of(results: &Results, server: &str) -> Option<(Self, f64)> {
        let (mut claim, mut longest) = (Self::default(), 0.0_f64);
        for style in measure::zombie::STYLES {
            match worst(results, server, style) {
                None => {}
                Some(Fate::Zombie(ms) | Fate::Endless(ms)) => {
                    claim.zombies.push(style);
                    longest = longest.max(ms);
                }
                Some(Fate::Stopped(_) | Fate::HeldAnswer(_)) => claim.clean.push(style),
                Some(Fate::NoTimeout) => claim.untimed.push(style),
                Some(Fate::Unborn) => claim.unheard.push(style),
            }
        }
        (claim != Self::default()).then_some((claim, longest))
    }

    /// The sentence of the servers of which it is true. "No zombies" is said with the styles that were timed out.
    fn say(&self, who: &str, longest: f64) -> String {
        let mut text = match (&self.zombies[..], &self.clean[..]) {
            ([], []) => format!("{who}: no work was timed out, so none could outlive its answer"),
            ([], clean) if clean.len() == measure::zombie::STYLES.len() => {
                format!("{who} left no zombies in any style of work")
            }
            ([], clean) => format!("{who} left no zombies in {} work, all that was timed out", list(clean)),
            (zombies, _) => format!(
                "{who} left zombies in {} work: it went on for up to {} after its 504",
                list(zombies),
                span(longest)
            ),
        };
        for (styles, what) in
            [(&self.untimed, "was not timed out"), (&self.unheard, "was not heard to start")]
        {
            if !styles.is_empty() {
                text += &format!("; {} work {what}", list(styles));
            }
        }
        text + "."
    }
}

/// Returns the servers that left zombies, with style and time: the answer to the lab's question.
pub fn verdict(results: &Results) -> Vec<String> {
    let names = results.names();
    let mut groups: Vec<(Vec<&str>, Claim, f64)> = Vec::new();
    for (name, (claim, longest)) in names.iter().filter_map(|name| Some((*name, Claim::of(results, name)?))) {
        match groups.iter_mut().find(|(_, have, _)| *have == claim) {
            Some((who, _, most)) => {
                who.push(name);
                *most = most.max(longest);
            }
            None => groups.push((vec![name], claim, longest)),
        }
    }
    groups.sort_by_key(|(_, claim, _)| claim.zombies.is_empty());
    let mut sentences: Vec<String> =
        groups.iter().map(|(who, claim, longest)| claim.say(&list(who), *longest)).collect();
    let mut others: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, said) in names.iter().filter_map(|name| Some((*name, otherwise(results, name)?))) {
        match others.iter_mut().find(|(alike, _)| *alike == said) {
            Some((_, who)) => who.push(name),
            None => others.push((said, vec![name])),
        }
    }
    sentences.extend(others.iter().map(|(said, who)| format!("{} gave {said} instead of 504.", list(who))));
    sentences
}

/// Returns a description of a server's answer at the deadline, when it is not 504.
fn otherwise(results: &Results, server: &str) -> Option<String> {
    let lives = results.measured.zombie.iter().filter(|life| life.server == server);
    let mut said: Vec<String> = lives
        .filter(|life| life.status != Some(504))
        .map(|life| life.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string()))
        .collect();
    said.sort();
    said.dedup();
    (!said.is_empty()).then(|| said.join(" and "))
}

/// A sentence for each style: what became of the work on which server.
pub fn tails(results: &Results) -> Vec<String> {
    measure::zombie::STYLES.iter().filter_map(|name| tail(results, name)).collect()
}

/// Returns the fate of the work in one style.
pub fn tail(results: &Results, style: &str) -> Option<String> {
    let names = results.names();
    let fates: Vec<(&str, Fate)> =
        names.iter().filter_map(|name| Some((*name, worst(results, name, style)?))).collect();
    let clauses: Vec<String> = KINDS
        .iter()
        .filter_map(|kind| {
            let found: Vec<_> = fates.iter().filter_map(|(name, fate)| Some((*name, kind(*fate)?))).collect();
            let who: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
            let (_, (template, _)) = *found.first()?;
            let lengths = || found.iter().map(|(_, (_, ms))| *ms);
            let (length, most) = (range(lengths(), span), span(lengths().fold(0.0, f64::max)));
            let who = those(&who, fates.len());
            Some(template.replace("WHO", &who).replace("LENGTH", &length).replace("MOST", &most))
        })
        .collect();
    (!clauses.is_empty()).then(|| format!("{style}: {}.", clauses.join("; ")))
}

/// For a fate of one kind its sentence, in which WHO, LENGTH and MOST are to be filled in, and its length.
type Kind = fn(Fate) -> Option<(&'static str, f64)>;

/// The kinds of fate in the order in which they are told.
const KINDS: [Kind; 6] = [
    |fate| match fate {
        Fate::Stopped(ms) => Some(("stopped on WHO, at most MOST after the 504", ms)),
        _ => None,
    },
    |fate| match fate {
        Fate::Zombie(ms) => Some(("a zombie on WHO, for LENGTH after the 504", ms)),
        _ => None,
    },
    |fate| match fate {
        Fate::Endless(ms) => Some(("still running on WHO after LENGTH, when the lab stopped watching", ms)),
        _ => None,
    },
    |fate| match fate {
        Fate::HeldAnswer(ms) => {
            Some(("nothing could interrupt it on WHO, and the 504 itself came LENGTH late", ms))
        }
        _ => None,
    },
    |fate| match fate {
        Fate::Unborn => Some(("on WHO the witness heard no start of it", 0.0)),
        _ => None,
    },
    |fate| match fate {
        Fate::NoTimeout => Some(("on WHO the request was not timed out", 0.0)),
        _ => None,
    },
];

/// Returns the meaning of the lateness of the 504s.
pub fn overshoot(results: &Results) -> Vec<String> {
    let all = &results.measured.overshoot;
    let answered: usize = all.iter().filter_map(|o| Some(o.summary_ms?.count)).sum();
    if answered == 0 {
        return Vec::new();
    }
    let mut sentences = match all.iter().map(|o| o.early).sum::<usize>() {
        0 => {
            vec![format!("Never early: 0 of {} answers came before their deadline.", number(answered as u64))]
        }
        _ => all.iter().filter(|o| o.early > 0).map(early).collect(),
    };
    for o in all.iter().filter(|o| !o.others.is_empty()) {
        let others: Vec<_> = o.others.iter().map(|(what, count)| format!("{count} times {what}")).collect();
        sentences.push(format!(
            "{}, {} at once: {} instead of 504.",
            o.server,
            number(o.at_once as u64),
            others.join(", ")
        ));
    }
    let noise = results.noise.p99_ms;
    let many = all.iter().map(|o| o.at_once).max().unwrap_or(1);
    let crowd: Vec<&Overshoot> = all.iter().filter(|o| o.at_once == many && many > 1).collect();
    sentences.extend(latest(&crowd, noise));
    sentences.push(format!(
        "The scheduler of this machine is late by {} itself (p99, measured just before): less than that is noise.",
        span(noise)
    ));
    let (load, cores) = (results.machine.load.unwrap_or(0.0), results.machine.cores);
    if load > cores as f32 {
        sentences.push(format!(
            "Other work kept the machine busy (a load of {load:.1} on {cores} cores): most of the lateness is its doing."
        ));
    }
    sentences
}

/// The earliest and the latest server at one concurrency, by the 99th percentile; `None` for fewer than two servers. They
/// are told apart only where the ranges of their rounds part, by more than the noise.
pub fn latest(shown: &[&Overshoot], noise: f64) -> Option<String> {
    let at_once = number(shown.first()?.at_once as u64);
    let mut ranked: Vec<(&str, Summary)> =
        shown.iter().filter_map(|o| Some((o.server.as_str(), o.p99_of_rounds()?))).collect();
    ranked.sort_by(|a, b| a.1.p50.total_cmp(&b.1.p50));
    if let [first, .., last] = &ranked[..]
        && first.1.parts_from(&last.1)
        && last.1.p50 - first.1.p50 > noise
    {
        let within = |(server, rounds): &(&str, Summary)| format!("within {} by {server}", span(rounds.p50));
        return Some(format!(
            "With {at_once} at once 99 of 100 were answered {}, and {}.",
            within(first),
            within(last)
        ));
    }
    (shown.len() > 1).then(|| {
        format!(
            "With {at_once} at once no server is told to be later than another: {}, or differ by no more than this \
             machine's own {}.",
            ALIKE,
            span(noise)
        )
    })
}

fn early(o: &Overshoot) -> String {
    let count = o.summary_ms.map_or(0, |summary| summary.count);
    format!("{} answered {} of {count} requests BEFORE their deadline: a broken promise.", o.server, o.early)
}

/// Returns the meaning of the storms of one style.
pub fn storms(results: &Results, style: &str) -> Vec<String> {
    let names = results.names();
    let storms: Vec<&Storm> =
        names.iter().filter_map(|name| representative(&results.measured.storms_of(name, style))).collect();
    let Some(requests) = storms.iter().map(|storm| storm.requests).max() else { return Vec::new() };
    let mut sentences = Vec::new();
    let (kept, clean): (Vec<&Storm>, Vec<&Storm>) = storms.iter().partition(|storm| storm.left_behind() > 0);
    let (ended, endless): (Vec<&Storm>, Vec<&Storm>) = kept.into_iter().partition(|s| s.quiet_ms.is_some());
    let of = |storms: &[&Storm], figure: fn(&Storm) -> f64| -> Vec<f64> {
        storms.iter().map(|s| figure(s)).collect()
    };
    if !ended.is_empty() {
        sentences.push(format!(
            "{}: when the last 504 had been read, {} of {} works still ran; the last of them ended {} later: {} \
             task-seconds for nobody.",
            list(&ended.iter().map(|storm| storm.server.as_str()).collect::<Vec<_>>()),
            range(of(&ended, |storm| storm.left_behind() as f64), |left| number(left as u64)),
            number(requests as u64),
            range(of(&ended, |storm| storm.quiesce_ms().unwrap_or(0.0)), span),
            range(of(&ended, Storm::zombie_area), |area| number(area.round() as u64)),
        ));
    }
    for storm in endless {
        sentences.push(format!(
            "{}: {} works still ran when the lab stopped watching.",
            storm.server,
            number(storm.left_behind())
        ));
    }
    if !clean.is_empty() {
        let names: Vec<&str> = clean.iter().map(|storm| storm.server.as_str()).collect();
        sentences.push(format!("{}: no work was left when the last 504 had been read.", list(&names)));
    }
    let mut threads: Vec<(&str, u64, u64)> = storms
        .iter()
        .map(|s| (s.server.as_str(), s.peak().threads, s.peak().pss.saturating_sub(s.before().pss)))
        .collect();
    threads.sort_by_key(|(_, threads, _)| *threads);
    if let [least, .., most] = threads[..]
        && most.1 > 2 * least.1
    {
        sentences.push(format!(
            "For {} requests at once {} needed {} threads and {} more memory; {} needed {} and {}.",
            number(requests as u64),
            most.0,
            number(most.1),
            megabytes(most.2),
            least.0,
            number(least.1),
            megabytes(least.2)
        ));
    }
    sentences
}

/// Returns the middle one of several storms, by the work that nobody waited for.
pub fn representative<'a>(storms: &[&'a Storm]) -> Option<&'a Storm> {
    let mut sorted = storms.to_vec();
    sorted.sort_by(|a, b| a.zombie_area().total_cmp(&b.zombie_area()));
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
pub(super) mod tests;
