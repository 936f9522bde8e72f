//! The flags of every server.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};

use crate::database::Database;
use crate::{clock, duration, limits};

/// The effect of a client's disconnect on its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnDisconnect {
    /// FIN or RST cancels the request.
    Cancel,
    /// A half-close is still served; only a reset cancels.
    Serve,
    /// Nothing cancels; the work completes.
    Detach,
}

/// A server's settings: every flag, each also an environment variable named `LAB_` and the flag in capitals.
#[derive(Clone, Debug, Parser)]
#[command(
    version,
    about = "The lab's fast/slow server: /fast answers at once, /slow answers 504 at its deadline.",
    after_help = "Every flag is also an environment variable: --request-timeout is LAB_REQUEST_TIMEOUT. A flag wins.\n\
                  Try it: curl -i 'http://ADDR/slow?work=10s' with the address of the first line it prints."
)]
pub struct Settings {
    /// Where requests are served; port 0 lets the kernel pick one
    #[arg(long, env = "LAB_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Where the census is served
    #[arg(long, env = "LAB_ADMIN", value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub admin: SocketAddr,
    /// Threads that run the executor, 1 to 1024 [default: the cores]
    #[arg(long, env = "LAB_THREADS", value_name = "N", value_parser = threads)]
    pub threads: Option<NonZeroUsize>,
    /// Upper bound of the blocking pool, 1 to 10000
    #[arg(
        long,
        env = "LAB_BLOCKING_THREADS",
        value_name = "N",
        default_value = "512",
        value_parser = blocking_threads
    )]
    pub blocking_threads: NonZeroUsize,
    /// The deadline of one request, from the moment its head is parsed
    #[arg(long, env = "LAB_REQUEST_TIMEOUT", value_name = "D", default_value = "2s", value_parser = timeout)]
    pub request_timeout: Duration,
    /// Longest time for a head from its first byte, or on a new connection from the accept
    #[arg(long, env = "LAB_READ_HEADER_TIMEOUT", value_name = "D", default_value = "5s", value_parser = timeout)]
    pub read_header_timeout: Duration,
    /// Longest time for a whole request to arrive before it is answered 408
    #[arg(long, env = "LAB_READ_TIMEOUT", value_name = "D", default_value = "10s", value_parser = timeout)]
    pub read_timeout: Duration,
    /// Longest time without progress of a response before its connection is reset
    #[arg(long, env = "LAB_WRITE_TIMEOUT", value_name = "D", default_value = "10s", value_parser = timeout)]
    pub write_timeout: Duration,
    /// Longest time that a connection waits for its next request
    #[arg(long, env = "LAB_IDLE_TIMEOUT", value_name = "D", default_value = "60s", value_parser = timeout)]
    pub idle_timeout: Duration,
    /// Silence of a client after which it is probed, in whole seconds, 3s or more
    #[arg(long, env = "LAB_TCP_KEEPALIVE", value_name = "D", default_value = "15s", value_parser = keepalive)]
    pub tcp_keepalive: Duration,
    /// Time for which SIGTERM lets running requests go on
    #[arg(long, env = "LAB_SHUTDOWN_TIMEOUT", value_name = "D", default_value = "5s", value_parser = timeout)]
    pub shutdown_timeout: Duration,
    /// The most connections at once; one more is answered 503 [default: 20000, threads: 4000]
    #[arg(long, env = "LAB_MAX_CONNECTIONS", value_name = "N", value_parser = count)]
    pub max_connections: Option<NonZeroUsize>,
    /// Effect of a client's disconnect on its request
    #[arg(long, env = "LAB_ON_DISCONNECT", value_name = "WHAT", value_enum, default_value = "cancel")]
    pub on_disconnect: OnDisconnect,
    /// Most requests of style `permit` that may work at once, 1 to 1000000
    #[arg(long, env = "LAB_PERMITS", value_name = "N", default_value = "64", value_parser = permits)]
    pub permits: NonZeroUsize,
    /// The server that does the work of style `upstream`; without it the style is refused
    #[arg(long, env = "LAB_UPSTREAM", value_name = "ADDR")]
    pub upstream: Option<SocketAddr>,
    /// Part of the budget that a call to the upstream leaves for the answer to it
    #[arg(long, env = "LAB_RESERVE", value_name = "D", default_value = "5ms", value_parser = duration::parse)]
    pub reserve: Duration,
    /// The PostgreSQL that does the work of style `query`, on loopback or a Unix socket; without it the style is refused
    #[arg(long, env = "LAB_DATABASE", hide_env_values = true, value_name = "URL")]
    pub database: Option<Database>,
    /// Where work sends its heartbeats, over UDP
    #[arg(long, env = "LAB_WITNESS", value_name = "ADDR")]
    pub witness: Option<SocketAddr>,
}

impl Settings {
    /// Returns how many threads run the executor: as flagged, or one per core.
    #[must_use]
    pub fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or(cores.min(limits::THREADS), NonZeroUsize::get)
    }

    /// The most connections at once: as flagged, or `default`.
    #[must_use]
    pub fn max_connections(&self, default: usize) -> usize {
        self.max_connections.map_or(default, NonZeroUsize::get)
    }

    /// The time from one probe of a silent connection to the next: a third of `--tcp-keepalive`, in whole seconds.
    #[must_use]
    pub fn probe_interval(&self) -> Duration {
        Duration::from_secs(self.tcp_keepalive.as_secs() / u64::from(limits::PROBES))
    }

    /// The longest time in which a client may acknowledge nothing, neither a probe nor data: the last probe ends it, and a
    /// bound that lies between two probes would hold only at the next one. Twice `--tcp-keepalive`, or up to 2 s less.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.tcp_keepalive + limits::PROBES * self.probe_interval()
    }

    /// The deadline of a request whose head was parsed at `now` and whose caller waits for `budget`.
    #[must_use]
    pub fn deadline(&self, now: Instant, budget: Option<Duration>) -> Instant {
        let timeout = budget.map_or(self.request_timeout, |budget| budget.min(self.request_timeout));
        clock::far(now, timeout)
    }
}

/// The error of an `address`, given by `--flag`, that cannot be bound.
#[must_use]
pub fn taken(flag: &str, address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("failed to bind --{flag} {address}: {error}"))
}

fn timeout(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        Duration::ZERO => Err(format!("takes {}, above zero", duration::TAKES)),
        timeout => Ok(timeout),
    }
}

fn keepalive(text: &str) -> Result<Duration, String> {
    let keepalive = duration::parse(text)?;
    // The kernel counts whole seconds, up to 32767.
    let is_whole = keepalive.subsec_nanos() == 0 && (3..=32_767).contains(&keepalive.as_secs());
    if is_whole { Ok(keepalive) } else { Err("takes whole seconds from 3s to 32767s".into()) }
}

fn count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "takes a whole number, 1 or more".into())
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    up_to(limits::THREADS, text)
}

fn blocking_threads(text: &str) -> Result<NonZeroUsize, String> {
    up_to(limits::BLOCKING_THREADS, text)
}

fn permits(text: &str) -> Result<NonZeroUsize, String> {
    up_to(limits::PERMITS, text)
}

fn up_to(most: usize, text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse::<NonZeroUsize>().ok().filter(|number| number.get() <= most);
    number.ok_or_else(|| format!("takes a whole number from 1 to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Settings, String> {
        Settings::try_parse_from([&["server"], args].concat()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let settings = parse(&[]).expect("no flag is needed");
        let seconds = [
            (settings.request_timeout, 2),
            (settings.read_header_timeout, 5),
            (settings.read_timeout, 10),
            (settings.write_timeout, 10),
            (settings.idle_timeout, 60),
            (settings.tcp_keepalive, 15),
            (settings.shutdown_timeout, 5),
        ];
        for (timeout, seconds) in seconds {
            assert_eq!(timeout, Duration::from_secs(seconds));
        }
        assert_eq!((settings.blocking_threads.get(), settings.permits.get()), (512, 64));
        assert_eq!(settings.on_disconnect, OnDisconnect::Cancel);
        assert_eq!((settings.max_connections(20_000), settings.witness), (20_000, None));
    }

    #[test]
    fn a_wrong_flag_is_an_error_with_its_name_and_what_it_takes() {
        for (args, name, takes) in [
            (&["--request-timeout", "2x"][..], "--request-timeout", "250ms"),
            (&["--request-timeout", "0s"], "--request-timeout", "above zero"),
            (&["--tcp-keepalive", "2s"], "--tcp-keepalive", "from 3s"),
            (&["--tcp-keepalive", "3500ms"], "--tcp-keepalive", "whole seconds"),
            (&["--tcp-keepalive", "10h"], "--tcp-keepalive", "32767s"),
            (&["--threads", "0"], "--threads", "1 to 1024"),
            (&["--threads", "1025"], "--threads", "1 to 1024"),
            (&["--blocking-threads", "18446744073709551615"], "--blocking-threads", "1 to 10000"),
            (&["--max-connections", "0"], "--max-connections", "1 or more"),
            (&["--reserve", "5"], "--reserve", "250ms"),
            (&["--upstream", "there"], "--upstream", "socket address"),
            (&["--database", "mysql://localhost"], "--database", "postgres://"),
            (&["--permits", "0"], "--permits", "1 to 1000000"),
            (&["--permits", "18446744073709551615"], "--permits", "1 to 1000000"),
            (&["--on-disconnect", "maybe"], "--on-disconnect", "cancel, serve, detach"),
            (&["--listen", "here"], "--listen", "socket address"),
            (&["--nonsense"], "--nonsense", "unexpected"),
            (&["--witness"], "--witness", "ADDR"),
        ] {
            let error = parse(args).expect_err(name);
            assert!(error.contains(name) && error.contains(takes), "{error}");
        }
    }

    #[test]
    fn a_silent_client_is_given_twice_the_keepalive_at_most() {
        for seconds in 3..=40 {
            let settings =
                parse(&["--tcp-keepalive", &format!("{seconds}s")]).expect("the flag is well formed");
            let (twice, silence) = (Duration::from_secs(2 * seconds), settings.silence());
            assert!(
                silence <= twice && twice - silence <= Duration::from_secs(2),
                "{seconds} s: {silence:?}"
            );
            assert!(settings.probe_interval() >= Duration::from_secs(1));
        }
    }

    #[test]
    fn the_callers_budget_shortens_the_deadline_and_never_lengthens_it() {
        let settings = parse(&["--request-timeout", "2s"]).expect("the flag is well formed");
        let seconds = Duration::from_secs;
        let now = Instant::now();
        assert_eq!(settings.deadline(now, Some(seconds(1))), now + seconds(1));
        assert_eq!(settings.deadline(now, Some(seconds(60))), now + seconds(2));
        assert_eq!(settings.deadline(now, None), now + seconds(2));
    }
}
