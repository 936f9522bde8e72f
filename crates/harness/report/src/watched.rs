//! A server under somebody else's load, in sentences: the same on the terminal and on the page.

use measure::text::{list, megabytes, number, span};
use measure::watch::{Reading, Watch};

/// The title of the section.
pub fn title(watch: &Watch) -> String {
    format!("{} under `{}`", watch.server, watch.load)
}

/// The sentences, the conclusion first.
pub fn sentences(watch: &Watch) -> Vec<String> {
    [Some(zombies(watch)), Some(load(watch)), heard(watch), Some(quiet(watch)), resources(watch)]
        .into_iter()
        .flatten()
        .collect()
}

/// Work that nobody waited for.
fn zombies(watch: &Watch) -> String {
    match (watch.zombie_area(), watch.most(Reading::no_request_waits)) {
        (Some(_), Some(0)) => "No reading found work without a request that waits for it.".to_owned(),
        (Some(area), Some(most)) => format!(
            "Zombies: at most {} units of work at once ran though their requests had ended, {area:.1} task-seconds in all.",
            number(most)
        ),
        _ => "It cannot be told which work is a zombie: that takes the server's own count of its work (--admin).".to_owned(),
    }
}

fn load(watch: &Watch) -> String {
    let ended = watch.load_end.as_ref().map_or(String::new(), |end| format!(" and ended with {end}"));
    let ran = format!("The load ran for {}{ended}", span(watch.load_ms));
    if watch.answered.is_empty() {
        return format!("{ran}.");
    }
    let statuses: Vec<String> =
        watch.answered.iter().map(|(status, count)| format!("{} × {status}", number(*count))).collect();
    let statuses: Vec<&str> = statuses.iter().map(String::as_str).collect();
    format!("{ran}; the server answered {}.", list(&statuses))
}

fn heard(watch: &Watch) -> Option<String> {
    let heard = watch.heard?;
    if heard.started == 0 {
        return Some(
            "No heartbeat came: work sends them for requests with an `X-Request-Id`, to the address that its server was given."
                .to_owned(),
        );
    }
    let parts = [
        (heard.completed, "completed"),
        (heard.canceled, "canceled"),
        (heard.panicked, "panicked"),
        (heard.running, "running at the end"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", number(*count)))
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    Some(format!("Heartbeats of {} units of work: {}.", number(heard.started), list(&parts)))
}

fn quiet(watch: &Watch) -> String {
    match (watch.quiet_after_ms(), watch.after().running()) {
        (Some(ms), _) if ms < 0.05 => "No work was left when the load ended.".to_owned(),
        (Some(ms), _) => format!("The last work ended {} after the load.", span(ms)),
        (None, Some(left)) => format!(
            "{} units of work still ran {} after the load.",
            number(left),
            span(watch.after().at_ms - watch.load_ms)
        ),
        (None, None) => "It cannot be told when the work ended: that takes --admin or --witness.".to_owned(),
    }
}

/// Threads, descriptors, memory and time on a processor; none without a process.
fn resources(watch: &Watch) -> Option<String> {
    let way = |of: fn(&Reading) -> Option<u64>, say: &dyn Fn(u64) -> String| {
        Some(format!(
            "{} → {} → {}",
            say(of(&watch.before())?),
            say(watch.most(of)?),
            say(of(&watch.after())?)
        ))
    };
    let threads = way(|reading| reading.threads, &number)?;
    let descriptors = way(|reading| reading.descriptors, &number)?;
    let memory = way(|reading| reading.pss, &megabytes)?;
    let cpu = watch.cpu_ms().unwrap_or(0.0);
    Some(format!(
        "Before → most → after: threads {threads}; descriptors {descriptors}; memory {memory}. Time on a processor: {}.",
        span(cpu)
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use measure::fixtures::empty;
    use measure::results::Results;
    use measure::watch;
    use testbed::heartbeats::Counts;

    use super::*;

    /// A load on a server that leaves zombies.
    pub(crate) fn zombie() -> Watch {
        let reading = |at_ms, requests, work, zombies, threads| Reading {
            at_ms,
            connections: Some(requests),
            requests: Some(requests),
            work: Some(work),
            zombies: Some(zombies),
            heard: Some(work),
            threads: Some(threads),
            descriptors: Some(9),
            pss: Some(4_000_000),
            cpu_ms: Some(at_ms / 10.0),
        };
        Watch {
            server: "threads".to_owned(),
            load: "wrk -d 1s http://127.0.0.1:8080/slow".to_owned(),
            load_ms: 1000.0,
            load_end: Some("exit status: 0".to_owned()),
            answered: [("200".to_owned(), 1), ("504".to_owned(), 12)].into(),
            heard: Some(Counts { running: 0, started: 13, completed: 10, canceled: 3, panicked: 0 }),
            readings: vec![
                reading(0.0, 0, 0, 0, 3),
                reading(500.0, 10, 10, 0, 13),
                reading(1000.0, 0, 10, 10, 13),
                reading(3000.0, 0, 0, 0, 3),
            ],
        }
    }

    /// A document with nothing but that.
    pub(crate) fn watched() -> Results {
        let mut document = empty(&["threads"]).document();
        (document.plan, document.limits) = (None, None);
        watch::put(&mut document, &zombie());
        Results::of(document).unwrap()
    }

    #[test]
    fn the_conclusion_comes_first_and_the_resources_last() {
        assert_eq!(
            sentences(&zombie()),
            [
                "Zombies: at most 10 units of work at once ran though their requests had ended, 12.5 task-seconds in all.",
                "The load ran for 1.00 s and ended with exit status: 0; the server answered 1 × 200 and 12 × 504.",
                "Heartbeats of 13 units of work: 10 completed and 3 canceled.",
                "The last work ended 2.00 s after the load.",
                "Before → most → after: threads 3 → 13 → 3; descriptors 9 → 9 → 9; memory 4.0 MB → 4.0 MB → 4.0 MB. \
                 Time on a processor: 300 ms.",
            ]
        );
    }

    #[test]
    fn what_no_instrument_told_is_said_with_what_it_would_take() {
        let mut blind = zombie();
        blind.answered.clear();
        for reading in &mut blind.readings {
            *reading = Reading { at_ms: reading.at_ms, heard: Some(0), ..Reading::default() };
        }
        blind.heard = Some(Counts::default());
        let said = sentences(&blind).join("\n");
        assert!(said.contains("takes the server's own count of its work (--admin)"), "{said}");
        assert!(said.contains("for requests with an `X-Request-Id`"), "{said}");
        assert!(!said.contains("threads"), "{said}");
    }

    #[test]
    fn no_sample_of_a_watch_is_lost_on_the_way_through_a_run() {
        let results = watched();
        assert_eq!(watch::of(&results.document()), Ok(vec![zombie()]));
        assert!(
            crate::export::samples::render(&results).contains("watch: zombie area"),
            "samples.csv has it"
        );
    }
}
