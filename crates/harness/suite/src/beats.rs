//! The heartbeats of a scenario's work among the bytes of its trace.

use std::time::Instant;

use testbed::witness::{Witness, Word};
use wire::trace::Trace;

/// The most works that are shown; a storm has a thousand.
const WORKS: usize = 4;

/// Puts what a witness heard of the works whose id begins with `prefix` between the lines of a trace, by time.
pub(crate) fn merged(trace: &Trace, witness: &Witness, prefix: &str) -> Vec<String> {
    let mut works = witness.since(trace.start_at(), prefix);
    let left_out = works.len().saturating_sub(WORKS);
    works.truncate(WORKS);
    let mut heard: Vec<(Instant, String)> = works.iter().flat_map(|(id, events)| told(id, events)).collect();
    heard.sort_by_key(|(at, _)| *at);
    let mut heard = heard.into_iter().map(|(at, text)| format!("{}work {text}", trace.stamp(at))).peekable();
    let mut lines = Vec::new();
    for line in trace.lines() {
        // A line without a time belongs to the one before it.
        while let (Some(at), Some(next)) = (time(&line), heard.peek())
            && time(next).is_some_and(|next| next < at)
        {
            lines.extend(heard.next());
        }
        lines.push(line);
    }
    lines.extend(heard);
    if left_out > 0 {
        lines.push(format!("(heartbeats of {left_out} more works are left out)"));
    }
    lines
}

/// The milliseconds that a line begins with.
fn time(line: &str) -> Option<f64> {
    line.split_once(" ms")?.0.trim().parse().ok()
}

/// The start, the first and the last beat, and the end of a work.
fn told(id: &str, events: &[(Instant, Word)]) -> Vec<(Instant, String)> {
    let is_beat = |word: Word| matches!(word, Word::Beat(_));
    let beats: Vec<usize> = (0..events.len()).filter(|index| is_beat(events[*index].1)).collect();
    let inner = beats.get(1..beats.len().saturating_sub(1)).unwrap_or_default();
    let kept = (0..events.len()).filter(|index| !inner.contains(index));
    let last = beats.last().copied();
    kept.map(|index| {
        let (at, word) = events[index];
        let between = match inner.len() {
            many if many > 0 && Some(index) == last => format!(" ({many} more since the first)"),
            _ => String::new(),
        };
        (at, format!("{word}{between}: {id}"))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use super::*;

    #[test]
    fn heartbeats_stand_among_the_bytes_and_of_many_the_first_and_the_last() {
        let (trace, witness) = (Trace::default(), Witness::listen().unwrap());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let send = |text: &str| {
            socket.send_to(text.as_bytes(), witness.address()).unwrap();
        };
        trace.say(1, "> GET");
        for text in ["a-1 start", "a-1 beat 1", "a-1 beat 2", "a-1 beat 3", "b-1 start", "a-1 end completed"]
        {
            send(text);
        }
        assert!(witness.wait_end("a-1", Duration::from_secs(5)).is_some());
        trace.say(1, "< 504");
        let lines = merged(&trace, &witness, "a-");
        let told: Vec<_> =
            lines.iter().filter_map(|line| line.split_once(" ms  ")).map(|(_, text)| text).collect();
        assert_eq!(
            told,
            [
                "#1   > GET",
                "work started: a-1",
                "work beat 1: a-1",
                "work beat 3 (1 more since the first): a-1",
                "work completed: a-1",
                "#1   < 504"
            ]
        );
    }
}
