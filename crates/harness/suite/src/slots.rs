//! Slots: they decide which scenarios run side by side, since those of every server share one machine.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};

use crate::scenario::Slot;

/// Scenarios of [`Slot::Half`] that may run at once.
const HALVES: usize = 2;

/// One for the process: servers share the machine.
pub(crate) static MACHINE: Slots = Slots::new();

/// Lets no more than `most` scenarios that share the machine run at once, of all sessions of this process together.
pub fn limit(most: usize) {
    MACHINE.most.store(most.max(1), Ordering::Relaxed);
}

/// The slots of one machine.
#[derive(Debug)]
pub(crate) struct Slots {
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

/// A slot that was taken; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Taking<'a> {
    slots: &'a Slots,
    slot: Slot,
}

impl Slots {
    /// Returns a machine with every slot free.
    const fn new() -> Self {
        let taken = Taken { light: 0, halves: 0, alone: false };
        Self { most: AtomicUsize::new(usize::MAX), taken: Mutex::new(taken), left: Condvar::new() }
    }

    /// Waits until there is room for a slot, and takes it. No slot has precedence: scenarios that need more of the
    /// machine come later in every order, when the others have ended.
    pub(crate) fn take(&self, slot: Slot) -> Taking<'_> {
        let full = |taken: &mut Taken| !taken.has_room(slot, self.most.load(Ordering::Relaxed));
        let mut taken = self.taken.lock();
        self.left.wait_while(&mut taken, full);
        taken.count(slot, true);
        Taking { slots: self, slot }
    }
}

impl Taken {
    fn has_room(&self, slot: Slot, most: usize) -> bool {
        match slot {
            Slot::Shared | Slot::Own => self.light < most && self.halves == 0 && !self.alone,
            Slot::Half => self.light == 0 && self.halves < HALVES && !self.alone,
            Slot::Exclusive => self.light == 0 && self.halves == 0 && !self.alone,
        }
    }

    fn count(&mut self, slot: Slot, comes: bool) {
        let change = |number: &mut usize| *number = if comes { *number + 1 } else { *number - 1 };
        match slot {
            Slot::Shared | Slot::Own => change(&mut self.light),
            Slot::Half => change(&mut self.halves),
            Slot::Exclusive => self.alone = comes,
        }
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.slots.taken.lock().count(self.slot, false);
        self.slots.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which slots there is room for, once these are taken.
    fn room_beside(slots: &[Slot]) -> Vec<Slot> {
        room_of_at_most(usize::MAX, slots)
    }

    /// The same, where at most so many may share the machine.
    fn room_of_at_most(most: usize, slots: &[Slot]) -> Vec<Slot> {
        let machine = Slots::new();
        machine.most.store(most, Ordering::Relaxed);
        let taken: Vec<Taking<'_>> = slots.iter().map(|slot| machine.take(*slot)).collect();
        let all = [Slot::Shared, Slot::Own, Slot::Half, Slot::Exclusive];
        let room = all.into_iter().filter(|slot| machine.taken.lock().has_room(*slot, most)).collect();
        drop(taken);
        assert_eq!(*machine.taken.lock(), Taken::default(), "every slot was given back");
        room
    }

    #[test]
    fn light_scenarios_run_beside_each_other_and_beside_nobody_else() {
        assert_eq!(room_beside(&[Slot::Shared, Slot::Own, Slot::Own]), [Slot::Shared, Slot::Own]);
    }

    #[test]
    fn a_limit_holds_back_light_scenarios_alone() {
        assert_eq!(room_of_at_most(1, &[Slot::Own]), []);
        assert_eq!(room_of_at_most(1, &[Slot::Half]), [Slot::Half]);
        assert_eq!(room_of_at_most(2, &[Slot::Own]), [Slot::Shared, Slot::Own]);
    }

    #[test]
    fn half_the_machine_leaves_room_for_one_more_half() {
        assert_eq!(room_beside(&[Slot::Half]), [Slot::Half]);
        assert_eq!(room_beside(&[Slot::Half, Slot::Half]), []);
    }

    #[test]
    fn who_sits_alone_sits_alone() {
        assert_eq!(room_beside(&[Slot::Exclusive]), []);
        assert_eq!(room_beside(&[]), [Slot::Shared, Slot::Own, Slot::Half, Slot::Exclusive]);
    }
}
