//! A chain of servers in characters: a lane for each hop, the budget on the arrow to it, and the cancel on its way through.

use std::fmt::Write;

use suite::hops::Hop;

use super::render::wrap;
use crate::chain::{Chain, told};

/// The width of the line of time, in characters.
const WIDTH: f64 = 56.0;

/// Draws one request through a chain; work that went on for longer than `zombie_ms` after it is red on a terminal.
pub fn draw(chain: &Chain<'_>, zombie_ms: f64, colors: bool) -> String {
    let longest = chain.hops.iter().map(|hop| hop.server.chars().count()).max().unwrap_or(0).max(6);
    let lanes = Lanes::of(chain, zombie_ms, longest + 4, colors);
    let (width, bar) = (lanes.width, "━".repeat(lanes.column(chain.over_ms).max(1)));
    let mut text = format!("{:<width$}{bar} {} at {:.1} ms\n", "client", chain.end(), chain.over_ms);
    for (at, hop) in chain.hops.iter().enumerate() {
        let _ = writeln!(text, "{:width$}{}", "", lanes.arrows(hop));
        let name = format!("{} {}", at + 1, hop.server);
        let _ = writeln!(text, "{name:<width$}{}", lanes.bar(hop));
    }
    let (red, plain) = if chain.has_stopped(zombie_ms) { ("", "") } else { (lanes.red, lanes.plain) };
    let told = wrap(&chain.sentence(zombie_ms), &" ".repeat(width));
    let _ = writeln!(text, "{:<width$}{red}{}{plain}", "verdict", told.trim_start());
    text
}

/// The line of time of a chain.
struct Lanes<'a> {
    chain: &'a Chain<'a>,
    zombie_ms: f64,
    last: f64,
    /// The width of the names.
    width: usize,
    red: &'static str,
    plain: &'static str,
}

impl<'a> Lanes<'a> {
    fn of(chain: &'a Chain<'a>, zombie_ms: f64, width: usize, colors: bool) -> Self {
        let last = chain.over_ms.max(chain.last_ms);
        let (red, plain) = if colors { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
        Self { chain, zombie_ms, last: last.max(1e-3), width, red, plain }
    }

    fn column(&self, ms: f64) -> usize {
        (ms.max(0.0) / self.last * WIDTH).round() as usize
    }

    /// The call to a hop with its budget, and its cancel or its answer.
    fn arrows(&self, hop: &Hop) -> String {
        let Some(asked) = hop.asked_ms else { return String::new() };
        let budget = hop.budget_ms.map_or_else(|| "no budget".to_owned(), |budget| format!("{budget:.1} ms"));
        let mut text = format!("{}↓ {budget}", " ".repeat(self.column(asked)));
        let after = |ms: f64| format!("{:+.1} ms", ms - self.chain.over_ms);
        let (at, back) = match (told(hop), hop.answered_ms, hop.status) {
            (Some(told), _, _) => (told, format!("✕ cancel {}", after(told))),
            (None, Some(answered), Some(status)) => (answered, format!("↑ {status} {}", after(answered))),
            (None, Some(answered), None) => (answered, format!("↑ {}", after(answered))),
            (None, None, _) => return text,
        };
        let gap = self.column(at).saturating_sub(text.chars().count()).max(2);
        text += &" ".repeat(gap);
        text + &back
    }

    /// The work of a hop, from the end of the request on as another bar.
    fn bar(&self, hop: &Hop) -> String {
        let (Some(began), Some(last)) = (hop.began_ms, hop.last_ms) else {
            return if hop.asked_ms.is_some() { "no work".into() } else { "never asked".into() };
        };
        let over = self.chain.over_ms;
        let is_zombie = self.chain.is_zombie(hop, self.zombie_ms);
        let begin = self.column(began);
        let wanted = self.column(if is_zombie { over } else { last }).saturating_sub(begin).max(1);
        let zombie =
            if is_zombie { self.column(last).saturating_sub(self.column(over).max(begin)) } else { 0 };
        let (red, plain) = (self.red, self.plain);
        let how = hop.ended.as_deref().unwrap_or("last heard of");
        format!(
            "{}{}{red}{}{plain} {how} at {last:.1} ms",
            " ".repeat(begin),
            "█".repeat(wanted),
            "▒".repeat(zombie)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::tests::{answered, left};

    fn drawn(hops: &[Hop], colors: bool) -> String {
        draw(&Chain::of(hops).unwrap(), 25.0, colors)
    }

    #[test]
    fn budgets_stand_on_the_arrows_and_the_cancel_behind_them() {
        let text = drawn(&left(), false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("client    ━━━━") && lines[0].ends_with("client left at 300.0 ms"),
            "{text}"
        );
        assert!(lines[3].contains("↓ 895.0 ms ") && lines[3].ends_with("✕ cancel +0.2 ms"), "{text}");
        assert!(
            lines[4].starts_with("2 tokio   ████") && lines[4].ends_with("canceled at 300.4 ms"),
            "{text}"
        );
        assert!(lines[7].starts_with("verdict   the work of all 3 hops stopped"), "{text}");
        assert!(!text.contains('▒') && !text.contains('\x1b'), "{text}");
    }

    #[test]
    fn a_hop_that_works_on_is_red_and_named() {
        let mut hops = left();
        hops[2].last_ms = Some(900.0);
        let text = drawn(&hops, true);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("\x1b[31m▒▒▒") && words.contains("link 3 of 3, `tokio`, was told"), "{text}");
    }

    #[test]
    fn an_answer_runs_up_and_a_hop_without_a_call_says_so() {
        let mut hops = answered();
        hops[2] = Hop { server: "tokio".into(), ..Hop::default() };
        let text = drawn(&hops, false);
        assert!(text.contains("answered 504 at 300.0 ms") && text.contains("↑ 504 -1.0 ms"), "{text}");
        assert!(text.contains("3 tokio   never asked"), "{text}");
    }
}
