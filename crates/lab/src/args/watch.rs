//! The arguments of `lab watch`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "It sends nothing itself: it reads the server's instruments every 50 ms while the command runs and until no work is \
    left, and writes the same files as `lab compare`. Its own count (--admin) tells zombies and counts answers, the process (--pid) \
    tells threads, descriptors, memory and CPU, and the heartbeats (--witness) tell which work runs, of requests that carry an \
    `X-Request-Id`. The load's own output goes to stderr.\n\nExamples:\n  \
    lab watch tokio -- lab load '{url}/slow?work=1s' --for 10s        a server of the list, started for it\n  \
    lab watch threads -- wrk -t2 -c100 -d30s '{url}/slow?work=1s'\n  \
    lab watch --url http://127.0.0.1:8080 --pid 4711 -- k6 run load.js\n  \
    lab watch --url http://127.0.0.1:8080 --admin http://127.0.0.1:8081 --witness 127.0.0.1:9000 -- locust -f load.py\n\n\
    Exit status: 0; 1 when the load ended with another status than 0; 2 when nothing could be watched, or no request came."
)]
pub(crate) struct Watch {
    /// A server of the list, which is started for this; `{url}` in COMMAND stands for its address
    #[arg(value_name = "SERVER", conflicts_with_all = ["url", "admin", "pid", "witness"])]
    pub(crate) server: Option<String>,
    /// The server that runs already; `{url}` in COMMAND stands for it
    #[arg(long, value_name = "http://HOST:PORT")]
    pub(crate) url: Option<String>,
    /// Where it serves its own count of its requests and work (its census)
    #[arg(long, value_name = "http://HOST:PORT", requires = "url")]
    pub(crate) admin: Option<String>,
    /// Its process
    #[arg(long, value_name = "PID", requires = "url")]
    pub(crate) pid: Option<u32>,
    /// Listen here for the heartbeats of its work, which it was told to send here
    #[arg(long, value_name = "IP:PORT", requires = "url")]
    pub(crate) witness: Option<SocketAddr>,
    /// Longest time to wait, after the load, until no work is left
    #[arg(long, value_name = "D", default_value = "10s", value_parser = contract::duration::parse)]
    pub(crate) settle: Duration,
    /// A flag for the server that is started, without its dashes; may be given again
    #[arg(long, value_name = "NAME=VALUE", requires = "server")]
    pub(crate) flag: Vec<String>,
    /// Do not build the server first
    #[arg(long, requires = "server")]
    pub(crate) no_build: bool,
    /// Write into this folder [default: target/lab/DATE-AND-TIME, and target/lab for the latest]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The load generator and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}
