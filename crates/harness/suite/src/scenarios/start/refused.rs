//! Flags that are refused, and threads that the system refuses.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use testbed::capability::Capability::{
    FlagBlockingThreads, FlagMaxConnections, FlagRequestTimeout, FlagThreads, ParamWork, Process,
};
use testbed::server::{Server, Started};
use testbed::subject::Trial;
use wire::trace::Trace;
use wire::{Request, Wire};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario, Slot};

/// The most threads that a server is granted in the scenario that refuses them.
const GRANTED: u64 = 12;

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "start/huge-count",
        promise: "a count of threads that is huge is refused by name with exit 2, or the server serves",
        needs: &[Process, FlagThreads, FlagBlockingThreads, ParamWork],
        limit: LIMIT,
        sent: "`--blocking-threads` and `--threads` of 2^64-1, 2^63, 2^32 and 1,000,000; where it serves `GET /fast` and \
               `GET /slow?work=20ms`",
        why: "the largest number is how people write `no limit`",
        wrong: "tokio adds its workers to the bound of its blocking pool, and the sum overflows: nothing is served",
        sources: &[
            "https://docs.rs/tokio/latest/tokio/runtime/struct.Builder.html#method.max_blocking_threads",
        ],
        run: huge_count,
        ..Scenario::BASE
    },
    Scenario {
        id: "start/not-utf8",
        promise: "a flag or a variable whose value is not UTF-8 is one line on stderr that names it, and exit 2",
        needs: &[Process, FlagRequestTimeout],
        sent: "`--request-timeout` followed by, or with `=` before, the byte 0xFF; `LAB_REQUEST_TIMEOUT` with that byte",
        why: "an error that does not say which flag is an evening",
        wrong: "clap says that some argument is not UTF-8, and not which",
        run: not_utf8,
        ..Scenario::BASE
    },
    Scenario {
        id: "start/odd-flags",
        promise: "of 20 odd command lines each is served, or refused in one short line that names the flag",
        needs: &[Process, FlagThreads, FlagBlockingThreads, FlagMaxConnections, ParamWork],
        limit: LIMIT,
        sent: "counts that are too large, spaced, in other digits, of several lines, with escapes, of 10,000 digits, missing, given twice; \
               timeouts of centuries; an address beyond the last port; an empty argument; a flag of 10,000 characters",
        why: "whoever gets a flag wrong reads one line, and it has to say which flag",
        run: odd_flags,
        ..Scenario::BASE
    },
    Scenario {
        id: "start/threads-refused",
        promise: "a server that is refused a thread at its start says so in one line and exits 1; with enough of them it serves",
        judges: &[Judges::Answer],
        needs: &[Process, FlagThreads],
        slot: Slot::Own,
        limit: Duration::from_secs(40),
        sent: "`--threads 2` under a limit of 1, 2, 3 … 12 threads; where it serves `GET /fast`",
        why: "a limit of a container is reached at the start of its hundredth process, and half a server passes for a whole one",
        wrong: "tokio and async-std panic; tokio that got some of its workers goes on without the others",
        sources: &["https://man7.org/linux/man-pages/man2/getrlimit.2.html (RLIMIT_NPROC)"],
        run: threads_refused,
        ..Scenario::BASE
    },
];

/// A dozen starts, some of a server in a slow language.
const LIMIT: Duration = Duration::from_secs(30);

/// Checks that a server that was started with this is one: it answers /fast and does work, if not at once. The thread of the
/// last connection may still be ending when there is none for the next.
fn serves(bench: &Bench, server: &Server, what: &str) -> Result<(), Failure> {
    let until = Instant::now() + bench.patience();
    for request in [bench.fast(), bench.slow_for(bench.ms(20), bench.ms(1500), "")] {
        while let Some(else_than_200) = answers_200(server, &request, until) {
            ensure!(Instant::now() < until, "it started with {what}, and then: {else_than_200}");
            std::thread::sleep(bench.ms(20));
        }
    }
    Ok(())
}

/// Sends the request to the server; gives what came instead of a 200.
fn answers_200(server: &Server, request: &Request, until: Instant) -> Option<String> {
    let asked =
        Wire::connect(server.address(), until, &Trace::default()).and_then(|mut wire| wire.ask(request));
    match asked {
        Ok(answer) if answer.status() == 200 => None,
        Ok(answer) => Some(format!("{} for {}", answer.status(), request.target())),
        Err(error) => Some(error.to_string()),
    }
}

fn huge_count(bench: &Bench) -> Outcome {
    let (mut refused, mut served) = (0, 0);
    for flag in ["--blocking-threads", "--threads"] {
        for count in ["18446744073709551615", "9223372036854775808", "4294967296", "1000000"] {
            let what = format!("{flag} {count}");
            match bench.try_start(&Trial { args: &[flag.as_ref(), count.as_ref()], ..Trial::default() })? {
                Started::Serves(server) => {
                    serves(bench, &server, &what)?;
                    served += 1;
                }
                Started::Ended { status, stderr, .. } => {
                    ensure!(status.code() == Some(2), "{status} instead of exit 2 for {what}: {stderr}");
                    is_one_line(&stderr, flag)?;
                    refused += 1;
                }
            }
        }
    }
    Ok(format!("{refused} refused by name, {served} served").into())
}

/// The argument or variable of a trial, its bytes escaped.
fn bytes_of(trial: &Trial<'_>) -> String {
    let env = trial.env.iter().map(|(name, value)| format!("{name}={}", value.as_bytes().escape_ascii()));
    let args = trial.args.iter().map(|arg| arg.as_bytes().escape_ascii().to_string());
    env.chain(args).collect::<Vec<_>>().join(" ")
}

fn not_utf8(bench: &Bench) -> Outcome {
    const FLAG: &str = "--request-timeout";
    const VARIABLE: &str = "LAB_REQUEST_TIMEOUT";
    let bad = OsStr::from_bytes(b"\xff1s");
    let joined = [FLAG.as_bytes(), b"=\xff1s"].concat();
    let trials = [
        Trial { args: &[FLAG.as_ref(), bad], ..Trial::default() },
        Trial { args: &[OsStr::from_bytes(&joined)], ..Trial::default() },
        Trial { env: &[(VARIABLE, bad)], ..Trial::default() },
    ];
    for trial in &trials {
        match bench.try_start(trial)? {
            Started::Serves(_) => return Err(Failure::broken(format!("it serves with {}", bytes_of(trial)))),
            Started::Ended { status, stderr, .. } => {
                ensure!(
                    status.code() == Some(2),
                    "{status} instead of exit 2 for {}: {stderr}",
                    bytes_of(trial)
                );
                // The variable may be named by its flag.
                is_one_line(&stderr, if stderr.contains(VARIABLE) { VARIABLE } else { FLAG })?;
            }
        }
    }
    Ok("one line each that names it, exit 2".into())
}

fn is_one_line(stderr: &str, name: &str) -> Result<(), Failure> {
    ensure!(stderr.lines().count() == 1, "{name}: not one line on stderr:\n{stderr}");
    ensure!(stderr.contains(name), "stderr does not name {name}: {stderr}");
    Ok(())
}

fn threads_refused(bench: &Bench) -> Outcome {
    // The system counts no thread of root's, so another account is taken, which only root can.
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::unsupported("limiting threads takes root"));
    }
    let args = ["--threads", "2"].map(AsRef::as_ref);
    let mut first = None;
    for threads in 1..=GRANTED {
        let trial = Trial { args: &args, threads: Some(threads), ..Trial::default() };
        let what = format!("{threads} threads");
        match bench.try_start(&trial)? {
            Started::Serves(server) => {
                serves(bench, &server, &what)?;
                first.get_or_insert(threads);
            }
            Started::Ended { status, stderr, .. } => {
                ensure!(
                    first.is_none(),
                    "with {what} it ended ({status}), and with fewer it served: {stderr}"
                );
                ensure!(status.code() == Some(1), "{status} instead of exit 1 with {what}: {stderr}");
                ensure!(stderr.lines().count() == 1, "{what}: not one line on stderr:\n{stderr}");
            }
        }
    }
    let first = first.ok_or_else(|| Failure::broken(format!("it does not start with {GRANTED} threads")))?;
    Ok(format!("one line and exit 1 below {first} threads, and served from there on").into())
}

/// The outcome of a start.
#[derive(Clone, Copy)]
enum Comes<'a> {
    /// It serves.
    ToServe,
    /// One line names this, and the exit status is 2.
    ToNothing(&'a str),
}

fn odd_flags(bench: &Bench) -> Outcome {
    use Comes::{ToNothing, ToServe};
    let (long, nines) = (format!("--{}", "x".repeat(10_000)), "9".repeat(10_000));
    const FOREVER: &str = "18446744073s";
    let table: [(&[&str], Comes<'_>); 20] = [
        (&["--threads", "1024"], ToServe),
        (&["--threads", "1025"], ToNothing("--threads")),
        (&["--threads", "٣"], ToNothing("--threads")),
        (&["--threads", " 2"], ToNothing("--threads")),
        (&["--threads", "1_000"], ToNothing("--threads")),
        (&["--threads", "2\n\n3"], ToNothing("--threads")),
        (&["--threads", "\u{1b}[31m"], ToNothing("--threads")),
        (&["--threads", &nines], ToNothing("--threads")),
        (&["--threads="], ToNothing("--threads")),
        (&["--threads", "1", "--threads", "2"], ToNothing("--threads")),
        (&[&long], ToNothing("--xxx")),
        (&["--blocking-threads", "10000"], ToServe),
        (&["--max-connections", "18446744073709551615"], ToServe),
        (&["--max-connections", "18446744073709551616"], ToNothing("--max-connections")),
        (&["--request-timeout", "99999999h"], ToNothing("--request-timeout")),
        (&["--request-timeout", FOREVER, "--idle-timeout", FOREVER, "--shutdown-timeout", FOREVER], ToServe),
        (&["--read-timeout", FOREVER, "--write-timeout", FOREVER, "--read-header-timeout", FOREVER], ToServe),
        (&["--listen", "127.0.0.1:65536"], ToNothing("--listen")),
        (&["--listen", "[::1]:0"], ToServe),
        (&[""], ToNothing("''")),
    ];
    for (args, comes) in table {
        let words: Vec<_> = args.iter().map(OsStr::new).collect();
        let what = args.join(" ").chars().take(80).collect::<String>().escape_debug().to_string();
        match (bench.try_start(&Trial { args: &words, ..Trial::default() })?, comes) {
            (Started::Serves(server), ToServe) => serves(bench, &server, &what)?,
            (Started::Ended { status, stderr, .. }, ToNothing(name)) => {
                ensure!(status.code() == Some(2), "{status} instead of exit 2 for {what}: {stderr}");
                is_one_line(&stderr, name)?;
                ensure!(stderr.len() < 500, "{} bytes of stderr for {what}", stderr.len());
            }
            (Started::Serves(_), _) => return Err(Failure::broken(format!("it serves with {what}"))),
            (Started::Ended { status, stderr, .. }, _) => {
                return Err(Failure::broken(format!("it ended ({status}) with {what}: {stderr}")));
            }
        }
    }
    Ok(format!("{} command lines, each served or refused by name", table.len()).into())
}
