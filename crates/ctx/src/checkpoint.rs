//! A question for loops that compute, asked every so many turns.

use crate::clock;
use crate::context::Context;
use crate::error::Ended;

/// The least distance in time between two questions, in nanoseconds.
const APART: u64 = 50_000;
/// No more turns than this pass between two questions.
const MOST: u32 = 1 << 16;

/// Asks its context every so many turns of a loop, so many as take about 50 µs: it measures what a turn costs.
///
/// The first turn asks, and no more than 65,536 turns pass between two questions. When turns become dearer, the end is
/// noticed late once, by the turns that were cheap before; the next measurement follows. A loop whose turns take
/// 50 µs or longer asks at each, and [`Context::check`] does the same without this.
///
/// ```
/// use std::time::Duration;
/// use ctx::{Context, Ended};
///
/// fn sum(ctx: &Context, numbers: impl Iterator<Item = u64>) -> Result<u64, Ended> {
///     let mut checkpoint = ctx.checkpoint();
///     let mut sum = 0_u64;
///     for number in numbers {
///         checkpoint.check()?;
///         sum = sum.wrapping_add(number);
///     }
///     Ok(sum)
/// }
///
/// assert_eq!(sum(&Context::background(), 1..=100).unwrap(), 5_050);
/// let (ctx, _cancel) = Context::background().with_timeout(Duration::from_millis(5));
/// assert!(sum(&ctx, 0..).unwrap_err().is_timeout());
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoint<'a> {
    ctx: &'a Context,
    /// Turns until the next question.
    left: u32,
    /// Turns between the last question and the next.
    every: u32,
    /// When the last question was asked; zero before the first.
    asked: u64,
}

impl Checkpoint<'_> {
    /// Counts a turn, and asks the context if it is time to.
    ///
    /// # Errors
    ///
    /// How and why the context ended.
    #[inline]
    pub fn check(&mut self) -> Result<(), Ended> {
        if self.left > 0 {
            self.left -= 1;
            return Ok(());
        }
        self.ask()
    }

    #[cold]
    fn ask(&mut self) -> Result<(), Ended> {
        let now = clock::now();
        if self.asked != 0 {
            let took = now.saturating_sub(self.asked).max(1);
            // At most four times as many as before: one turn may be cheap by chance.
            let fit = u64::from(self.every) * APART / took;
            self.every = u32::try_from(fit).unwrap_or(MOST).min(self.every * 4).clamp(1, MOST);
        }
        self.asked = now;
        self.left = self.every - 1;
        let checked = self.ctx.check();
        if checked.is_err() {
            // The next turn is told the same.
            self.left = 0;
        }
        checked
    }
}

impl Context {
    /// Returns `Ok` while the context lives, for `ctx.check()?` between two steps; it looks as [`err`](Self::err)
    /// does, and runs no foreign code either.
    ///
    /// # Errors
    ///
    /// How and why the context ended.
    #[inline]
    pub fn check(&self) -> Result<(), Ended> {
        if self.err().is_none() { Ok(()) } else { self.ended().map_or(Ok(()), Err) }
    }

    /// Returns how and why the context ended, or `None` while it lives.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.end().map(|end| Ended::new(end.error, end.cause))
    }

    /// Returns what asks this context every so many turns of a loop that computes.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint<'_> {
        Checkpoint { ctx: self, left: 0, every: 1, asked: 0 }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::clock::fake;

    /// Runs turns of this cost, and returns after how many each question was asked.
    fn questions(checkpoint: &mut Checkpoint<'_>, now: &mut u64, turns: u32, cost: u64) -> Vec<u32> {
        let mut asked = Vec::new();
        for turn in 0..turns {
            fake::set(*now, 0);
            let before = fake::exact_reads();
            assert!(checkpoint.check().is_ok());
            if fake::exact_reads() > before {
                asked.push(turn);
            }
            *now += cost;
        }
        asked
    }

    fn gaps(asked: &[u32]) -> Vec<u32> {
        asked.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn cheap_turns_are_asked_about_every_fifty_microseconds_and_dear_ones_each() {
        let (ctx, _cancel) = Context::background().with_cancel();
        let mut now = clock::stamp(std::time::Instant::now());
        let mut checkpoint = ctx.checkpoint();
        let cheap = gaps(&questions(&mut checkpoint, &mut now, 20_000, 10));
        assert_eq!(cheap.last(), Some(&5_000));
        let dear = gaps(&questions(&mut checkpoint, &mut now, 20_000, APART));
        assert_eq!(dear.last(), Some(&1));
        assert!(dear.iter().all(|gap| *gap <= 5_000), "late by what was cheap before, and once: {dear:?}");
    }

    #[test]
    fn turns_that_take_no_time_are_asked_within_the_bound() {
        let (ctx, _cancel) = Context::background().with_cancel();
        let mut now = clock::stamp(std::time::Instant::now());
        let mut checkpoint = ctx.checkpoint();
        let gaps = gaps(&questions(&mut checkpoint, &mut now, 8 * MOST, 0));
        assert_eq!(gaps.iter().max(), Some(&MOST));
    }

    #[test]
    fn the_first_turn_asks_and_an_end_is_told_at_every_turn_after() {
        let (ctx, cancel) = Context::background().with_cancel();
        let mut checkpoint = ctx.checkpoint();
        let mut later = ctx.checkpoint();
        let mut now = clock::stamp(std::time::Instant::now());
        questions(&mut later, &mut now, 1_000, 10);
        cancel.cancel();
        assert!(checkpoint.check().is_err());
        assert!(checkpoint.check().is_err());
        // By now many turns lie between two questions, but none behind the end.
        assert!((0..MOST).any(|_| later.check().is_err()));
        assert!(later.check().is_err() && later.check().is_err());
    }
}
