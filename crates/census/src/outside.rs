//! Resources outside the process that work holds, counted while it holds them.

use crate::Census;
use crate::guards::{Job, Live};

/// A wait for a permit.
#[derive(Debug)]
pub struct Waiting {
    census: Census,
    _live: Live,
}

/// A permit that is taken.
#[derive(Debug)]
pub struct Permit {
    _live: Live,
}

impl Census {
    /// Counts a request that waits for a permit, until the guard is dropped or the permit [granted](Waiting::granted).
    #[must_use]
    pub fn waits(&self) -> Waiting {
        Waiting { census: *self, _live: Live::new(self, |counts| &counts.permits_awaited) }
    }
}

/// A call to another server.
#[derive(Debug)]
pub struct Call {
    _live: Live,
}

/// A query to a database.
#[derive(Debug)]
pub struct Query {
    _live: Live,
}

impl Job {
    /// Counts a query to a database, until the guard is dropped.
    #[must_use]
    pub fn query(&self) -> Query {
        Query { _live: Live::new(&self.census, |counts| &counts.queries_live) }
    }

    /// Counts a call to another server, until the guard is dropped.
    #[must_use]
    pub fn call(&self) -> Call {
        Call { _live: Live::new(&self.census, |counts| &counts.calls_live) }
    }
}

impl Waiting {
    /// Counts the permit as taken until the guard is dropped. Dropped before the permit itself, it never counts more
    /// permits as taken than there are.
    #[must_use]
    pub fn granted(self) -> Permit {
        Permit { _live: Live::new(&self.census, |counts| &counts.permits_taken) }
    }
}
