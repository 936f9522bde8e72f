//! Flow-control windows (RFC 9113, section 5.2 and 6.9): how much DATA one side may still send.

use derive_more::{Display, Error};

/// The size that every window begins with unless SETTINGS say otherwise; the connection's always does.
pub const INITIAL: i64 = 65_535;
/// The largest size of a window.
pub const LARGEST: i64 = (1 << 31) - 1;

/// The window of a stream or of the connection, for one direction.
///
/// It can be below zero: a smaller INITIAL_WINDOW_SIZE shrinks the windows of open streams, however much was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window(i64);

/// The ways in which a window is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, Error)]
pub enum Broken {
    /// More was sent than the window held.
    #[display("{sent} bytes of DATA into a window of {held}")]
    Exceeded {
        /// The bytes that were sent.
        sent: usize,
        /// The bytes that the window held.
        held: usize,
    },
    /// The window would be larger than a window can be.
    #[display("a window above 2^31-1")]
    Overflown,
}

impl Window {
    /// A window of so many bytes.
    pub fn new(size: u32) -> Self {
        Self(i64::from(size))
    }

    /// The bytes that may be sent now.
    pub fn available(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// Takes `sent` bytes out of the window. The window shrinks even if it did not hold them.
    ///
    /// # Errors
    /// When it held less. An empty frame fits into any window.
    pub fn take(&mut self, sent: usize) -> Result<(), Broken> {
        let held = self.available();
        self.0 -= sent as i64;
        if sent > held { Err(Broken::Exceeded { sent, held }) } else { Ok(()) }
    }

    /// Adds what a WINDOW_UPDATE gives.
    ///
    /// # Errors
    /// When the window would be too large; it stays as it was.
    pub fn grow(&mut self, increment: u32) -> Result<(), Broken> {
        self.shift(i64::from(increment))
    }

    /// Adds what a new INITIAL_WINDOW_SIZE gives more than the one before, or takes what it gives less.
    ///
    /// # Errors
    /// When the window would be too large; it stays as it was.
    pub fn shift(&mut self, by: i64) -> Result<(), Broken> {
        let shifted = self.0 + by;
        if shifted > LARGEST {
            return Err(Broken::Overflown);
        }
        self.0 = shifted;
        Ok(())
    }
}

impl Default for Window {
    fn default() -> Self {
        Self(INITIAL)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_window_holds_what_it_was_given_and_no_more() {
        let mut window = Window::new(10);
        assert_eq!(window.take(10), Ok(()));
        assert_eq!(window.take(0), Ok(()), "an empty frame fits into any window");
        assert_eq!(window.take(1), Err(Broken::Exceeded { sent: 1, held: 0 }));
        assert_eq!(window.grow(1), Ok(()));
        assert_eq!(window.available(), 0, "what was sent beyond the window is owed");
    }

    #[test]
    fn a_window_grows_to_the_largest_and_not_beyond() {
        let mut window = Window::default();
        assert_eq!(window.grow((LARGEST - INITIAL) as u32), Ok(()));
        assert_eq!(window.grow(1), Err(Broken::Overflown));
        assert_eq!(window.available() as i64, LARGEST);
    }

    #[test]
    fn a_smaller_initial_size_can_leave_a_window_below_zero() {
        // The example of section 6.9.2: 60 KB sent, then an initial size of 16 KB.
        let mut window = Window::new(65_535);
        window.take(60_000).unwrap();
        window.shift(16_384 - 65_535).unwrap();
        assert_eq!((window, window.available()), (Window(-43_616), 0));
        window.grow(43_616).unwrap();
        assert_eq!(window.available(), 0);
        window.grow(1).unwrap();
        assert_eq!(window.available(), 1);
    }

    #[test]
    fn a_broken_window_says_by_what() {
        assert_eq!(Broken::Exceeded { sent: 9, held: 4 }.to_string(), "9 bytes of DATA into a window of 4");
        assert_eq!(Broken::Overflown.to_string(), "a window above 2^31-1");
    }

    proptest! {
        #[test]
        fn an_honest_sender_never_gets_more_through_than_was_granted(
            steps in prop::collection::vec((any::<bool>(), 0_u32..100_000), 0..100),
        ) {
            let (mut window, mut granted, mut sent) = (Window::default(), INITIAL, 0_i64);
            for (grants, size) in steps {
                if grants {
                    window.grow(size).unwrap();
                    granted += i64::from(size);
                } else {
                    let size = window.available().min(size as usize);
                    prop_assert_eq!(window.take(size), Ok(()));
                    sent += size as i64;
                }
                prop_assert_eq!(window.available() as i64, granted - sent);
            }
        }
    }
}
