//! Pictures of lines: storms over time, and how late the 504s are.

use std::fmt::Write;

use measure::overshoot::Overshoot;
use measure::overshoot::summary::latest;
use measure::results::Results;
use measure::storm::{Reading, Storm, summary};
use measure::text::{number, percentile, span, tied};

use super::gantt::capital;
use super::scale::{Scale, Tick, round};

pub(super) const LEFT: f64 = 44.0;
pub(super) const RIGHT: f64 = 338.0;
pub(super) const TOP: f64 = 12.0;
pub(super) const BOTTOM: f64 = 150.0;

/// Requests, work and threads of one server over time.
#[derive(Debug)]
pub struct CurvesPicture {
    /// The server's name.
    pub name: String,
    /// The description of the picture, for readers who do not see it.
    pub told: String,
    /// The meaning of the picture, in a sentence.
    pub caption: String,
    /// Live requests, as points of a line.
    pub requests: String,
    /// Live work.
    pub work: String,
    /// Threads.
    pub threads: String,
    /// The area of work without a request that waits for it, as a path.
    pub zombies: String,
    /// The axis of time.
    pub xs: Vec<Tick>,
    /// The axis of counts.
    pub ys: Vec<Tick>,
}

/// The wanted storms of each style, on the same axes as all others of that style.
pub fn storms(results: &Results, wanted: impl Fn(&Storm) -> bool) -> Vec<CurvesPicture> {
    results.plan.storm.styles.iter().flat_map(|style| of_style(results, style, &wanted)).collect()
}

fn of_style(results: &Results, style: &str, wanted: impl Fn(&Storm) -> bool) -> Vec<CurvesPicture> {
    let storms = summary::shown(results, style);
    let longest = storms.iter().map(|storm| storm.after().at_ms).fold(0.0, f64::max);
    let most = storms.iter().map(|storm| storm.peak().work.max(storm.peak().threads)).max().unwrap_or(1);
    let (time, count) = (Scale::linear(longest, LEFT, RIGHT), Scale::linear(most as f64 * 1.05, BOTTOM, TOP));
    storms.into_iter().filter(|storm| wanted(storm)).map(|storm| picture(storm, &time, &count)).collect()
}

fn picture(storm: &Storm, time: &Scale, count: &Scale) -> CurvesPicture {
    let point = |of: fn(&Reading) -> u64| move |one: &Reading| (time.at(one.at_ms), count.at(of(one) as f64));
    let line = |of| points(storm.readings.iter().map(point(of)));
    let (before, peak) = (storm.before(), storm.peak());
    let told = format!(
        "{}: work of at most {} requests and {} threads (before: {}); {}",
        storm.server,
        number(peak.work),
        number(peak.threads),
        number(before.threads),
        storm.left_said()
    );
    CurvesPicture {
        name: format!("{}, style {}", storm.server, storm.style),
        told,
        caption: tied(&capital(&format!("{}.", storm.left_said()))),
        requests: line(|reading| reading.requests),
        work: line(|reading| reading.work),
        threads: line(|reading| reading.threads),
        zombies: area(&storm.readings, time, count),
        xs: time.ticks(3, |ms| format!("{} s", ms / 1e3)),
        ys: count.ticks(3, |n| number(n as u64)),
    }
}

/// Returns the points of a line.
pub(super) fn points(all: impl Iterator<Item = (f64, f64)>) -> String {
    all.map(|(x, y)| format!("{x},{y} ")).collect()
}

/// The outline of what lies between requests and the work above them.
fn area(readings: &[Reading], time: &Scale, count: &Scale) -> String {
    let mut path = String::new();
    let over =
        readings.iter().map(|reading| (reading.at_ms, reading.requests, reading.work.max(reading.requests)));
    for (index, (at, _, upper)) in over.clone().enumerate() {
        let _ =
            write!(path, "{}{},{} ", if index == 0 { 'M' } else { 'L' }, time.at(at), count.at(upper as f64));
    }
    for (at, lower, _) in over.rev() {
        let _ = write!(path, "L{},{} ", time.at(at), count.at(lower as f64));
    }
    path + "Z"
}

/// The lateness of the 504s, at one concurrency.
#[derive(Debug)]
pub struct LatePicture {
    /// Requests at once.
    pub at_once: usize,
    /// The same in words.
    pub title: String,
    /// The description of the picture, for readers who do not see it.
    pub told: String,
    /// The meaning of the picture, in a sentence.
    pub caption: String,
    /// A line for each server, the earliest first.
    pub lines: Vec<LateLine>,
    /// The width of the noise floor: lateness up to there is the scheduler's own.
    pub noise: f64,
    /// The axis of lateness, in powers of ten.
    pub xs: Vec<Tick>,
    /// The axis of shares.
    pub ys: Vec<Tick>,
}

/// The lateness of one server's 504s.
#[derive(Debug)]
pub struct LateLine {
    /// The server.
    pub name: String,
    /// The class of its line.
    pub ink: String,
    /// The 99th percentile, in words.
    pub figure: String,
    /// Its points.
    pub points: String,
}

/// A picture for each concurrency, all on the same axes.
pub fn late(results: &Results) -> Vec<LatePicture> {
    const LEAST: f64 = 0.05;
    let all = &results.measured.overshoot;
    let most = all.iter().filter_map(|o| Some(o.summary_ms?.max)).fold(1.0, f64::max);
    let late = Scale::logarithmic(LEAST, most, LEFT, RIGHT);
    let share = Scale::linear(1.0, BOTTOM, TOP);
    let mut concurrencies: Vec<usize> = all.iter().map(|o| o.at_once).collect();
    concurrencies.dedup();
    concurrencies
        .into_iter()
        .map(|at_once| {
            let shown: Vec<_> =
                all.iter().filter(|o| o.at_once == at_once && o.summary_ms.is_some()).collect();
            late_picture(results, at_once, shown, [&late, &share])
        })
        .collect()
}

fn late_picture(
    results: &Results,
    at_once: usize,
    mut shown: Vec<&Overshoot>,
    [late, share]: [&Scale; 2],
) -> LatePicture {
    let median = |o: &Overshoot| o.summary_ms.map_or(0.0, |summary| summary.p50);
    shown.sort_by(|a, b| median(a).total_cmp(&median(b)));
    let told = shown.iter().filter_map(|o| {
        let all = o.summary_ms?;
        Some(format!("{} half within {}, all within {}", o.server, span(all.p50), span(all.max)))
    });
    let many = format!("{} at once", number(at_once as u64));
    LatePicture {
        at_once,
        title: if at_once == 1 { "One at a time".to_owned() } else { many },
        told: told.collect::<Vec<_>>().join("; "),
        caption: tied(&caption(&shown, results.noise.p99_ms)),
        lines: shown.iter().map(|o| late_line(results, o, late, share)).collect(),
        noise: round(late.at(results.noise.p99_ms) - LEFT),
        xs: late.ticks(0, |ms| format!("{ms} ms")),
        ys: share.ticks(2, |part| format!("{:.0} %", part * 100.0)),
    }
}

fn late_line(results: &Results, o: &Overshoot, late: &Scale, share: &Scale) -> LateLine {
    let mut samples: Vec<f64> = o.rounds_ms.iter().flatten().copied().collect();
    samples.sort_by(f64::total_cmp);
    LateLine {
        name: o.server.clone(),
        ink: super::ink(results, &o.server),
        figure: tied(&percentile(o.summary_ms.and_then(|summary| summary.p99), span)),
        points: staircase(&samples, late, share),
    }
}

/// The earliest and the latest server, where they can be told apart.
fn caption(shown: &[&Overshoot], noise: f64) -> String {
    match shown {
        [one] => one.summary_ms.map_or(String::new(), |all| {
            format!("All answers of {} came within {} of their deadline.", one.server, span(all.max))
        }),
        _ => latest(shown, noise).unwrap_or_default(),
    }
}

/// The share of samples up to each value, in at most 200 points, of which no two are in the same place.
fn staircase(sorted: &[f64], late: &Scale, share: &Scale) -> String {
    const POINTS: usize = 200;
    let every = sorted.len().div_ceil(POINTS).max(1);
    let last = sorted.len().saturating_sub(1);
    let (mut points, mut before) = (String::new(), None);
    for (index, sample) in sorted.iter().enumerate().filter(|(index, _)| index % every == 0 || *index == last)
    {
        let part = (index + 1) as f64 / sorted.len() as f64;
        let point = (late.at(*sample), share.at(part));
        if before.replace(point) != Some(point) {
            let _ = write!(points, "{},{} ", point.0, point.1);
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_staircase_ends_at_the_worst_sample_and_at_all_of_them() {
        let late = Scale::logarithmic(1.0, 10.0, 0.0, 100.0);
        let share = Scale::linear(1.0, 100.0, 0.0);
        let samples: Vec<f64> = (1..=1000).map(|n| 1.0 + f64::from(n) * 0.009).collect();
        let points = staircase(&samples, &late, &share);
        assert!(points.trim().ends_with("100,0"), "{points}");
        assert!(points.split_whitespace().count() <= 202);
        assert_eq!(staircase(&[], &late, &share), "");
    }

    #[test]
    fn no_area_lies_between_work_and_the_requests_that_wait_for_it() {
        let (time, count) = (Scale::linear(10.0, 0.0, 10.0), Scale::linear(10.0, 10.0, 0.0));
        let reading = |at_ms, requests, work| Reading { at_ms, requests, work, ..Reading::default() };
        let flat = area(&[reading(0.0, 5, 2), reading(10.0, 5, 5)], &time, &count);
        assert_eq!(flat, "M0,5 L10,5 L10,5 L0,5 Z");
        let open = area(&[reading(0.0, 5, 5), reading(10.0, 0, 5)], &time, &count);
        assert_eq!(open, "M0,5 L10,5 L10,10 L0,5 Z");
    }
}
