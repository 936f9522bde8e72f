//! The steps of a run, as a hash and, when asked for, as lines.

use std::fmt::Display;

/// The steps of one run.
#[derive(Default)]
pub(crate) struct Trace {
    hash: u64,
    steps: usize,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(keep_lines: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, steps: 0, lines: keep_lines.then(Vec::new) }
    }

    /// Notes a step by its kind and number.
    pub(crate) fn step(&mut self, kind: &'static str, number: usize) {
        self.steps += 1;
        for byte in kind.bytes().chain(number.to_le_bytes()) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{kind} {number}"));
        }
    }

    /// Adds a remark to the lines.
    pub(crate) fn remark(&mut self, remark: impl Display) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("    {remark}"));
        }
    }

    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
