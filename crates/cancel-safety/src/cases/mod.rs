//! The functions, by package.

use drop_at_await::Report;

use crate::case::{Case, Claim, Invariant, Outcome, Source};

mod async_lock;
mod channels;
mod futures_async;
mod futures_io;
mod http;
mod http_pool;
mod pools;
mod tokio_io;
mod tokio_mpsc;
mod tokio_rt;
mod tokio_sync;
mod tokio_util;
mod tokio_write;

/// Returns all cases, in the order of the table.
#[must_use]
pub fn all() -> Vec<Case> {
    [
        tokio_mpsc::cases(),
        tokio_sync::cases(),
        tokio_io::cases(),
        tokio_write::cases(),
        tokio_rt::cases(),
        tokio_util::cases(),
        futures_async::cases(),
        futures_io::cases(),
        channels::cases(),
        async_lock::cases(),
        pools::cases(),
        http_pool::cases(),
        http::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Begins a case: a function, and its page below the package's documentation.
const fn of(package: &'static str, item: &'static str, page: &'static str) -> Begun {
    Begun { package, item, page }
}

struct Begun {
    package: &'static str,
    item: &'static str,
    page: &'static str,
}

struct Documented {
    begun: Begun,
    claim: Claim,
    source: Source,
}

struct Moving {
    documented: Documented,
    moved: &'static str,
    invariant: Invariant,
}

impl Begun {
    /// Says what is documented, in the text above the line of `file` that starts with `before`.
    const fn says(self, claim: Claim, file: &'static str, before: &'static str) -> Documented {
        Documented { begun: self, claim, source: Source { file, before } }
    }
}

impl Documented {
    /// Says what goes through the function, and what must hold.
    const fn moving(self, moved: &'static str, invariant: Invariant) -> Moving {
        Moving { documented: self, moved, invariant }
    }
}

impl Moving {
    /// Records that the invariant holds.
    fn keeps(self, check: fn() -> Report) -> Case {
        self.case(Outcome::Keeps, check)
    }

    /// Records what is lost.
    fn loses(self, what: &'static str, check: fn() -> Report) -> Case {
        self.case(Outcome::Loses(what), check)
    }

    fn case(self, outcome: Outcome, check: fn() -> Report) -> Case {
        let Documented { begun: Begun { package, item, page }, claim, source } = self.documented;
        let (moved, invariant) = (self.moved, self.invariant);
        Case { package, item, page, claim, source, moved, invariant, outcome, finding: None, check }
    }
}

impl Case {
    /// Names the page of `docs/findings` with the smallest case.
    const fn found(mut self, page: &'static str) -> Self {
        self.finding = Some(page);
        self
    }
}
