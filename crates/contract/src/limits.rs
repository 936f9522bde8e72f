//! The numbers every server enforces.

use std::time::Duration;

/// The largest request head, in bytes; a longer one is answered 431.
pub const HEAD: usize = 16 * 1024;
/// The most header fields in one head; more are answered 431.
pub const HEADERS: usize = 100;
/// The longest request target, in bytes; a longer one is answered 414.
pub const URI: usize = 8 * 1024;
/// The most streams of one HTTP/2 connection at once, and the most requests of it whose work is under way.
pub const STREAMS: u32 = 100;
/// The largest request body, in bytes; a larger one is answered 413.
pub const BODY: usize = 1024 * 1024;
/// The longest `work`.
pub const WORK: Duration = Duration::from_secs(3600);
/// The shortest `tick`, and the shortest `every`.
pub const TICK: Duration = Duration::from_millis(1);
/// The most children of one `/fanout`.
pub const WIDTH: u32 = 1_000;
/// The most chunks of one `/stream`.
pub const CHUNKS: u32 = 10_000;
/// The most threads that run the executor: each is started at once, and takes memory whether it has work or not.
pub const THREADS: usize = 1_024;
/// The most threads of the blocking pool: as many as smol's and async-std's pool can have.
pub const BLOCKING_THREADS: usize = 10_000;
/// The most permits: tokio's semaphore panics when it is asked for an eighth of what a number holds.
pub const PERMITS: usize = 1_000_000;
/// The most hops of style `upstream`.
pub const HOPS: u32 = 8;
/// The connections to the database, and so the most queries at once.
pub const CONNECTIONS: usize = 8;
/// The time in which a canceled query must have ended; the connection of one that has not is discarded.
pub const CANCELING: Duration = Duration::from_secs(1);
/// The time after which a query that still runs is canceled again: a cancel that overtakes its query hits nothing.
pub const CANCEL_AGAIN: Duration = Duration::from_millis(10);
/// The longest request id, in bytes.
pub const REQUEST_ID: usize = 64;
/// The longest subject, in bytes.
pub const SUBJECT: usize = 256;
/// The backlog every listener asks for; std's 128 stalls a burst of 1,000 connects for seconds.
pub const BACKLOG: i32 = 4096;
/// The probes of a silent connection that may go unanswered before it ends.
pub const PROBES: u32 = 3;
/// The time for which a closing server goes on reading, so that the close does not turn into a reset that destroys the
/// answer on its way. Go lingers as long.
pub const LINGER: Duration = Duration::from_millis(500);
/// The time in which connections canceled by a shutdown may answer and close: longer than they [linger](LINGER).
pub const PARTING: Duration = Duration::from_millis(750);
/// The time in which work that was told to stop may end, once every connection is closed, before it counts as
/// abandoned.
pub const STOPPING: Duration = Duration::from_millis(250);
/// The pause before a server accepts again when the process has no descriptor left: the listener stays readable, so a
/// loop without a pause would spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
