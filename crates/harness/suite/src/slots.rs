//! Slots: they decide which scenarios run side by side, since those of every server share one machine.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::scenario::Seat;

/// Scenarios of [`Seat::Half`] that may run at once.
const HALVES: usize = 2;

/// One for the process: servers share the machine.
pub(crate) static MACHINE: Seats = Seats::new();

/// Lets no more than `most` scenarios that share the machine run at once, of all sessions of this process together.
pub fn limit(most: usize) {
    MACHINE.most.store(most.max(1), Ordering::Relaxed);
}

/// The seats of one machine.
#[derive(Debug)]
pub(crate) struct Seats {
    most: AtomicUsize,
    taken: Mutex<Taken>,
    left: Condvar,
}

/// The slots that are taken. At most one of the three is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Taken {
    light: usize,
    halves: usize,
    alone: bool,
}

/// A seat that was taken; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Taking<'a> {
    seats: &'a Seats,
    seat: Seat,
}

impl Seats {
    /// A machine on which nobody sits.
    const fn new() -> Self {
        let taken = Taken { light: 0, halves: 0, alone: false };
        Self { most: AtomicUsize::new(usize::MAX), taken: Mutex::new(taken), left: Condvar::new() }
    }

    /// Waits until there is room for a seat, and takes it. Nobody has precedence: who needs more of the machine comes
    /// later in every order of scenarios, and there the others have gone.
    pub(crate) fn take(&self, seat: Seat) -> Taking<'_> {
        let full = |taken: &mut Taken| !taken.has_room(seat, self.most.load(Ordering::Relaxed));
        let mut taken = self.left.wait_while(self.taken(), full).unwrap_or_else(PoisonError::into_inner);
        taken.count(seat, true);
        Taking { seats: self, seat }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn has_room(&self, seat: Seat, most: usize) -> bool {
        match seat {
            Seat::Shared | Seat::Own => self.light < most && self.halves == 0 && !self.alone,
            Seat::Half => self.light == 0 && self.halves < HALVES && !self.alone,
            Seat::Alone => self.light == 0 && self.halves == 0 && !self.alone,
        }
    }

    fn count(&mut self, seat: Seat, comes: bool) {
        let change = |number: &mut usize| *number = if comes { *number + 1 } else { *number - 1 };
        match seat {
            Seat::Shared | Seat::Own => change(&mut self.light),
            Seat::Half => change(&mut self.halves),
            Seat::Alone => self.alone = comes,
        }
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.seats.taken().count(self.seat, false);
        self.seats.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which seats there is room for, once these are taken.
    fn room_beside(seats: &[Seat]) -> Vec<Seat> {
        room_of_at_most(usize::MAX, seats)
    }

    /// The same, where at most so many may share the machine.
    fn room_of_at_most(most: usize, seats: &[Seat]) -> Vec<Seat> {
        let machine = Seats::new();
        machine.most.store(most, Ordering::Relaxed);
        let taken: Vec<Taking<'_>> = seats.iter().map(|seat| machine.take(*seat)).collect();
        let all = [Seat::Shared, Seat::Own, Seat::Half, Seat::Alone];
        let room = all.into_iter().filter(|seat| machine.taken().has_room(*seat, most)).collect();
        drop(taken);
        assert_eq!(*machine.taken(), Taken::default(), "every seat was given back");
        room
    }

    #[test]
    fn light_scenarios_run_beside_each_other_and_beside_nobody_else() {
        assert_eq!(room_beside(&[Seat::Shared, Seat::Own, Seat::Own]), [Seat::Shared, Seat::Own]);
    }

    #[test]
    fn a_limit_holds_back_light_scenarios_alone() {
        assert_eq!(room_of_at_most(1, &[Seat::Own]), []);
        assert_eq!(room_of_at_most(1, &[Seat::Half]), [Seat::Half]);
        assert_eq!(room_of_at_most(2, &[Seat::Own]), [Seat::Shared, Seat::Own]);
    }

    #[test]
    fn half_the_machine_leaves_room_for_one_more_half() {
        assert_eq!(room_beside(&[Seat::Half]), [Seat::Half]);
        assert_eq!(room_beside(&[Seat::Half, Seat::Half]), []);
    }

    #[test]
    fn who_sits_alone_sits_alone() {
        assert_eq!(room_beside(&[Seat::Alone]), []);
        assert_eq!(room_beside(&[]), [Seat::Shared, Seat::Own, Seat::Half, Seat::Alone]);
    }
}
