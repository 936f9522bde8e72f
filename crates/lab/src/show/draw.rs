//! The drawing of one request: its client's side, its work, and its work outside the process, on one line of time.

use std::fmt::Write;
use std::time::Duration;

use play::verdict::GRACE;
use report::terminal::render::Screen;
use testbed::outside::Place;

/// The width of the line of time, in characters.
const WIDTH: f64 = 60.0;
/// The columns of a line beside its bar.
const BESIDE: u16 = 34;
/// An answer later than this after its deadline is called late.
const LATE: Duration = Duration::from_millis(100);

/// The events of one request, as times since it was sent.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The end of the client's side, and its time.
    pub(super) client: Option<(String, Duration)>,
    /// The body of the answer.
    pub(super) body: Option<String>,
    /// The deadline the client asked for.
    pub(super) deadline: Option<Duration>,
    /// The beginning of the work.
    pub(super) began: Option<Duration>,
    /// Its heartbeats.
    pub(super) beats: Vec<Duration>,
    /// The end of the work, in its own words.
    pub(super) ended: Option<(&'static str, Duration)>,
    /// Its work outside the process.
    pub(super) outside: Option<Outside>,
}

/// Work outside the process, as its witness saw it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outside {
    /// Its place.
    pub(super) place: Place,
    /// When it was first seen; `None` when it never was.
    pub(super) began: Option<Duration>,
    /// When nothing was left of it; `None` when it was still there at the end of the watch.
    pub(super) gone: Option<Duration>,
    /// The end of the watch.
    pub(super) until: Duration,
    /// True when a process had ended and was not reaped.
    pub(super) defunct: bool,
}

impl Outside {
    /// When it was last there, as far as it was seen.
    fn last(&self) -> Duration {
        self.gone.unwrap_or(self.until)
    }
}

/// Draws what was seen; what the work did after the client had its answer is red on a terminal.
pub(super) fn draw(seen: &Seen, screen: Screen) -> String {
    let mut text = String::new();
    let Some((client, answered)) = &seen.client else { return text };
    let line = Line::of(seen, *answered, screen);
    let column = line.column(*answered).max(1);
    let _ = writeln!(text, "request   {} {} at {}", "━".repeat(column), client, ms(*answered));
    if let Some(body) = &seen.body {
        let _ = writeln!(text, "answer    {body}");
    }
    let Some(began) = seen.began else {
        let _ = writeln!(text, "work      never started");
        draw_outside(&mut text, seen, &line);
        return text;
    };
    let (how, ended) = seen.ended.unwrap_or(("not seen to end", line.last));
    let heard = seen.beats.last().copied().filter(|beat| *beat > ended + GRACE);
    let (how, ended) = match heard {
        Some(heard) => (format!("last heard of, long after it was {how},"), heard),
        None => (how.to_owned(), ended),
    };
    let _ = writeln!(text, "work      {} {how} at {}", line.bar(began, ended), ms(ended));
    draw_outside(&mut text, seen, &line);
    let _ = writeln!(text, "verdict   {}", verdict(seen, *answered, ended, &line));
    text
}

/// Draws the work outside the process, if there was any.
fn draw_outside(text: &mut String, seen: &Seen, line: &Line) {
    let Some(outside) = &seen.outside else { return };
    let (word, witness) = (outside.place.word(), outside.place.witness());
    let _ = match (outside.began, outside.gone) {
        (None, _) => writeln!(text, "{word:<9} never seen in {witness}"),
        (Some(began), Some(gone)) => {
            writeln!(text, "{word:<9} {} gone at {}, by {witness}", line.bar(began, gone), ms(gone))
        }
        (Some(began), None) => {
            let how = if outside.defunct { "ended, and not reaped" } else { "still there" };
            let until = outside.until;
            writeln!(text, "{word:<9} {} {how} at {}, by {witness}", line.bar(began, until), ms(until))
        }
    };
}

/// Says what became of the work that had `ended` then.
fn verdict(seen: &Seen, answered: Duration, ended: Duration, line: &Line) -> String {
    let Line { red, plain, .. } = line;
    let late = seen.beats.iter().filter(|beat| **beat > answered).count();
    let over = ended.saturating_sub(answered);
    let outside = seen.outside.filter(|outside| outside.began.is_some());
    let outside = outside.map(|outside| (outside.place, outside.last().saturating_sub(answered)));
    if late > 0 && over > GRACE {
        return format!("{red}zombie{plain}: {late} beats and {} of work that nobody waits for", ms(over));
    }
    if let Some((place, over)) = outside.filter(|(_, over)| *over > GRACE) {
        let (word, witness) = (place.word(), place.witness());
        return format!("{red}zombie{plain}: {} of its {word} that nobody waits for, by {witness}", ms(over));
    }
    if let Some(overshoot) =
        seen.deadline.and_then(|deadline| answered.checked_sub(deadline)).filter(|over| *over > LATE)
    {
        return format!("{red}late{plain}: answered {} after the deadline", ms(overshoot));
    }
    match outside {
        Some((place, outside)) if late > 0 || outside > Duration::ZERO => {
            let last = if late > 0 { over.max(outside) } else { outside };
            format!("stopped, the {} too: {} after the end of the request", place.word(), ms(last))
        }
        _ if late > 0 => format!("stopped: {} after the end of the request", ms(over)),
        _ => "no work after the end of the request".to_owned(),
    }
}

fn ms(at: Duration) -> String {
    format!("{:.1} ms", at.as_secs_f64() * 1e3)
}

/// The line of time: how far it goes, when the client's side ended, its colors and its columns.
struct Line {
    last: Duration,
    answered: Duration,
    red: &'static str,
    plain: &'static str,
    width: f64,
}

impl Line {
    fn of(seen: &Seen, answered: Duration, screen: Screen) -> Self {
        let outside = seen.outside.filter(|outside| outside.began.is_some()).map(|outside| outside.last());
        let ends = [Some(answered), seen.ended.map(|(_, at)| at), seen.beats.last().copied(), outside];
        let last = ends.into_iter().flatten().max().unwrap_or_default().max(Duration::from_micros(1));
        let (red, plain) = if screen.color { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
        let width = WIDTH.min(f64::from(screen.width.saturating_sub(BESIDE)));
        Self { last, answered, red, plain, width }
    }

    fn column(&self, at: Duration) -> usize {
        (at.as_secs_f64() / self.last.as_secs_f64() * self.width).round() as usize
    }

    /// Returns a bar, which is another one from the end of the client's side on.
    fn bar(&self, began: Duration, ended: Duration) -> String {
        let (begin, answered) = (self.column(began), self.column(self.answered));
        let wanted = self.column(ended.min(self.answered)).saturating_sub(begin).max(1);
        let zombie = self.column(ended).saturating_sub(answered.max(begin));
        let (red, plain) = (self.red, self.plain);
        format!("{}{}{red}{}{plain}", " ".repeat(begin), "█".repeat(wanted), "▒".repeat(zombie))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(answered: u64, ended: u64, beats: &[u64]) -> Seen {
        let ms = Duration::from_millis;
        Seen {
            body: None,
            deadline: None,
            client: Some(("504".into(), ms(answered))),
            began: Some(ms(0)),
            beats: beats.iter().copied().map(ms).collect(),
            ended: Some(("completed", ms(ended))),
            outside: None,
        }
    }

    #[test]
    fn work_past_the_answer_is_a_zombie() {
        let text = draw(&seen(300, 3000, &[200, 400, 3000]), Screen::FILE);
        assert!(text.contains("zombie: 2 beats and 2700.0 ms"), "{text}");
        assert!(text.contains("██████▒▒▒"), "{text}");
    }

    #[test]
    fn work_that_stopped_in_time_is_none() {
        let text = draw(&seen(300, 301, &[200]), Screen::FILE);
        assert!(text.contains("no work after the end") && !text.contains('▒'), "{text}");
    }

    #[test]
    fn work_that_needs_a_moment_to_stop_is_no_zombie() {
        let text = draw(&seen(300, 307, &[200, 307]), Screen::FILE);
        assert!(text.contains("stopped: 7.0 ms after the end") && !text.contains("zombie"), "{text}");
    }

    #[test]
    fn work_that_beats_on_after_its_end_is_a_zombie() {
        let text = draw(&seen(300, 300, &[200, 1000, 3000]), Screen::FILE);
        assert!(text.contains("last heard of, long after it was completed, at 3000.0 ms"), "{text}");
        assert!(text.contains("zombie: 2 beats and 2700.0 ms"), "{text}");
    }

    #[test]
    fn an_answer_long_after_the_deadline_is_late() {
        let deadline = Some(Duration::from_millis(300));
        let text = draw(&Seen { deadline, ..seen(2000, 2000, &[]) }, Screen::FILE);
        assert!(text.contains("late: answered 1700.0 ms after the deadline"), "{text}");
    }

    #[test]
    fn work_that_never_began_is_said_so() {
        let seen = Seen { began: None, ..seen(1, 1, &[]) };
        assert!(draw(&seen, Screen::FILE).contains("never started"));
    }

    #[test]
    fn colors_are_for_terminals() {
        assert!(draw(&seen(300, 3000, &[400]), Screen::of(100, true)).contains("\x1b[31m"));
        assert!(!draw(&seen(300, 3000, &[400]), Screen::FILE).contains('\x1b'));
    }

    /// A query that was there from 5 ms on; the request was answered at 300 ms, and its work ended then.
    fn queried(gone: Option<u64>) -> Seen {
        let ms = Duration::from_millis;
        let outside = Outside {
            place: Place::Query,
            began: Some(ms(5)),
            gone: gone.map(ms),
            until: ms(4000),
            defunct: false,
        };
        Seen { outside: Some(outside), ..seen(300, 300, &[]) }
    }

    #[test]
    fn a_query_that_runs_on_is_a_zombie_though_its_work_has_ended() {
        let text = draw(&queried(Some(3000)), Screen::FILE);
        assert!(text.contains("gone at 3000.0 ms, by pg_stat_activity"), "{text}");
        assert!(text.contains("query     ██████▒▒▒"), "{text}");
        let zombie = "zombie: 2700.0 ms of its query that nobody waits for, by pg_stat_activity";
        assert!(text.contains(zombie), "{text}");
        let text = draw(&queried(None), Screen::FILE);
        assert!(text.contains("still there at 4000.0 ms") && text.contains("zombie"), "{text}");
    }

    #[test]
    fn a_query_that_is_canceled_in_time_has_stopped_too() {
        let text = draw(&queried(Some(304)), Screen::FILE);
        assert!(text.contains("stopped, the query too: 4.0 ms after the end"), "{text}");
    }

    #[test]
    fn work_outside_that_was_never_seen_is_said_so() {
        let mut seen = queried(None);
        seen.outside = seen.outside.map(|outside| Outside { began: None, ..outside });
        let text = draw(&seen, Screen::FILE);
        assert!(text.contains("query     never seen in pg_stat_activity"), "{text}");
        assert!(text.contains("no work after the end"), "{text}");
    }
}
