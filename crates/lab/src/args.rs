//! The command line.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Parser, Subcommand, ValueEnum};
use measure::registry;
use suite::exit::Exit;
use suite::profile::Profile;
use suite::session::Settings;
use testbed::capability::Capability;

mod export;
mod gallery;
mod load;
mod play;
mod show;
mod watch;

pub(crate) use export::{Export, ExportFormat};
pub(crate) use gallery::Gallery;
pub(crate) use load::Load;
pub(crate) use play::Play;
pub(crate) use show::Show;
pub(crate) use watch::Watch;
/// The commands that are asked for first.
const EXAMPLES: &str = "Examples:\n  \
    lab show threads '/slow?work=3s&style=drop'  one request, its work drawn\n  \
    lab compare --quick                          all servers side by side\n  \
    lab check --run 'python3 server.py'          a server of your own\n  \
    lab check tokio --only deadline              one server, one area\n  \
    lab check --only 'work/*' --format json      for a program to read\n  \
    lab explain deadline                         the scenarios of an area\n  \
    lab explain deadline/never-early             what one sends, and why\n  \
    lab diff before.json after.json              what changed between two runs";

/// When a request times out, or its client leaves, does the work really stop?
#[derive(Debug, Parser)]
#[command(
    name = "lab",
    version,
    arg_required_else_help = true,
    after_help = format!("{EXAMPLES}\n\n{}", Exit::help())
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send one request and draw what became of its work: the place to start
    Show(Show),
    /// Serve a local page of buttons: send requests, disconnect, and watch the work live
    Play(Play),
    /// Judge and measure servers side by side: whose work runs on, and what it costs
    Compare(Compare),
    /// Judge servers, or one of your own, by the scenarios: what each must do, and whether it does
    Check(Check),
    /// Watch a server's work, threads and memory while any load generator runs
    Watch(Watch),
    /// Put a server under load, and say whether the figures may be believed
    Load(Load),
    /// Judge proxies and load balancers: does the server hear that its client left?
    Through(Through),
    /// Ask servers on other people's frameworks whether they stop, and write docs/gallery.md
    Gallery(Gallery),
    /// List the scenarios and the servers
    List(List),
    /// Print one scenario's page (what is sent, what must happen, why it matters), or list an area
    Explain {
        /// The scenario's id, as `lab list` prints it, or an area
        #[arg(value_name = "ID|AREA")]
        name: String,
    },
    /// Print a run again, and write its page and files, from its results.json
    Report(Report),
    /// Write a run for another program: spans for a tracing tool, a timeline, samples
    Export(Export),
    /// Say what changed from one run to another, beyond the noise
    Diff(Diff),
    /// Print what a run taught: findings, each with figures, a reason and a source
    Learned(Learned),
    /// Print a run of proxies as a page of Markdown
    Proxies(Proxies),
    /// Write docs/scenarios.md, docs/results.schema.json and docs/gallery.md
    Docs {
        /// Write nothing; fail when one of them is stale, or the run or picture of README.md has lost its shape
        #[arg(long)]
        check: bool,
        /// Put this run's conclusion, tables and picture into README.md too (the results.json of `scripts/compare.sh`)
        #[arg(long, value_name = "FILE", conflicts_with = "check")]
        run: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Format of the list
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: ListFormat,
    /// Only scenarios that match: `area`, `area/*`, `*/fin`, a comma between several
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    Human,
    Json,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A server of your own needs three things: it prints `listening on http://ADDR`, answers GET /fast \
    with 200 at once, and GET /slow with 504 at the deadline that the header `grpc-timeout: 300m` (milliseconds) gives. \
    What else it lacks is `unsupported`, not failed.\n\nExamples:\n  \
    lab check --run 'python3 server.py'                  the whole table, and four questions answered\n  \
    lab check --run 'python3 server.py' --only stranger  what answers the questions, and nothing else\n  \
    lab check --run 'uvicorn --port {port} app:app'      ready when the port accepts, no line needed\n  \
    lab check --url http://127.0.0.1:8080 --only deadline\n  \
    lab check tokio threads --only work --profile lab --trace target/traces\n  \
    lab check --chain tokio,smol,go-context              each asks the next; which one broke the chain"
)]
pub(crate) struct Check {
    /// Servers of the list [default: the lab's own]
    #[arg(value_name = "SERVER", conflicts_with_all = ["url", "run"])]
    pub(crate) servers: Vec<String>,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// Write results.json and the other files into this folder too
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Judge a chain of servers of the list, 2 to 9, each of which asks the next: the area `hops`; may be given more than once
    #[arg(long, value_name = "SERVER,SERVER", conflicts_with_all = ["servers", "url", "run"])]
    pub(crate) chain: Vec<String>,
    /// Judge a server that runs already
    #[arg(long, value_name = "http://HOST:PORT", conflicts_with = "run")]
    pub(crate) url: Option<String>,
    /// Where that server serves its own count of its requests and work (its census), if it does
    #[arg(long, value_name = "http://HOST:PORT", requires = "url")]
    pub(crate) admin: Option<String>,
    /// Judge the server that this command starts; `{port}` stands for a free port, `{witness}` for where heartbeats go, and
    /// `{database}`, `{upstream}`, `{request-timeout}`, … for the value of that flag, where a scenario gives one
    #[arg(long, value_name = "COMMAND")]
    pub(crate) run: Option<String>,
    /// Longest time until that command serves
    #[arg(long, value_name = "D", default_value = "10s", value_parser = load::lasting, requires = "run")]
    pub(crate) start_timeout: std::time::Duration,
    /// Do not build the servers first
    #[arg(long)]
    pub(crate) no_build: bool,
}

/// The choice of scenarios, the way in which they are judged, and the form of the results.
#[derive(Debug, clap::Args)]
pub(crate) struct Judging {
    /// Only scenarios that match: `area`, `area/*`, `*/fin`, a comma between several
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Option<String>,
    /// Lateness that is forgiven: ci (loose, one retry) or lab (tight)
    #[arg(long, default_value = "ci", value_parser = str::parse::<Profile>, value_name = "PROFILE")]
    pub(crate) profile: Profile,
    /// Format of the results
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: CheckFormat,
    /// Keep what every scenario sent and received in this folder, a file each
    #[arg(long, value_name = "DIR")]
    pub(crate) trace: Option<PathBuf>,
    /// Scenarios side by side [default: by profile]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
}

impl Judging {
    /// Returns how a session judges by these arguments.
    pub(crate) fn settings(&self, gate: bool) -> Settings {
        let jobs = self.jobs.map_or(self.profile.jobs(), usize::from);
        Settings { profile: self.profile, jobs, keep_traces: self.trace.is_some(), gate }
    }
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "An intermediary of your own listens at `{listen}` and sends what it gets to `{upstream}`, both ADDRESS:PORT; \
    `{config}` is the file of --config, in which the same words are filled in. With routes `/brief/` (an upstream that says \
    nothing for 1 s is given up on) and `/pair/` (the same, with `{upstream}` and `{second}` as two servers) more can be \
    judged: --supports says that it has them.\n\nExamples:\n  \
    lab through nginx haproxy haproxy-abortonclose\n  \
    lab through --only 'through/stalled-*'\n  \
    lab through --run 'my-proxy --listen {listen} --to {upstream}'\n  \
    lab through --run 'nginx -c {config}' --config my.conf --supports through:brief"
)]
pub(crate) struct Through {
    /// Intermediaries under peers/proxies, and their variants [default: all of them]
    #[arg(value_name = "NAME", conflicts_with = "run")]
    pub(crate) names: Vec<String>,
    /// Judge the intermediary that this command starts
    #[arg(long, value_name = "COMMAND")]
    pub(crate) run: Option<String>,
    /// Its configuration, a template
    #[arg(long, value_name = "FILE", requires = "run")]
    pub(crate) config: Option<PathBuf>,
    /// Capabilities that it has: through:brief, through:pair
    #[arg(long, value_name = "WHAT", value_delimiter = ',', requires = "run")]
    pub(crate) supports: Vec<Capability>,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// Clients for each of the ways to leave that are measured; 0 measures none
    #[arg(long, value_name = "N", default_value = "5", value_parser = tries)]
    pub(crate) tries: usize,
    /// Install what is missing and comes from PyPI or npm or is built from the repository
    #[arg(long)]
    pub(crate) install: bool,
}

fn tries(text: &str) -> Result<usize, String> {
    const MOST: usize = 1000;
    match text.parse() {
        Ok(tries) if tries <= MOST => Ok(tries),
        _ => Err(format!("must be a number of at most {MOST}")),
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "The page goes to stdout. docs/proxies.md is written so:\n  \
    scripts/long.sh through")]
pub(crate) struct Proxies {
    /// A document that `lab through` wrote [default: the last run's]
    #[arg(value_name = "THROUGH.json")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "It builds each server alone, judges it by the scenarios, and then measures all of them in rounds: how late \
    the 504 is, how long work of each style goes on after it, what a storm of 500 timeouts costs, how many requests \
    they answer and how fast, and what one costs in memory. The conclusion \
    goes to stdout first, then a screen for each question (four tables where stdout is no terminal); results.json keeps every sample, report.html the pictures: those of the latest run in target/lab, \
    those of every run in target/lab/DATE-AND-TIME.\n\nExamples:\n  \
    lab compare                      the lab's own servers, in less than three minutes after the build\n  \
    lab compare --quick              the same in short, in 45 s\n  \
    lab compare tokio threads        two of them, with all scenarios\n  \
    lab compare --full --peers       everything, often enough for medians\n  \
    lab compare --run 'python3 server.py' tokio    a server of your own beside another, in every table and picture\n  \
    lab compare --measure-only=throughput,latency tokio go-context    nothing but these, of these two"
)]
pub(crate) struct Compare {
    /// Servers of the list [default: the lab's own]
    #[arg(value_name = "SERVER", conflicts_with = "peers")]
    pub(crate) servers: Vec<String>,
    /// Every server of the list, those in Go, in Python and on Rust's frameworks too
    #[arg(long)]
    pub(crate) peers: bool,
    /// The server that this command starts, too, as `run`; `{port}` and `{witness}` as in `lab check`
    #[arg(long, value_name = "COMMAND")]
    pub(crate) run: Option<String>,
    /// Longest time until that command serves
    #[arg(long, value_name = "D", default_value = "10s", value_parser = load::lasting, requires = "run")]
    pub(crate) start_timeout: std::time::Duration,
    /// Fetch nothing: without a Go on the PATH its servers are absent
    #[arg(long)]
    pub(crate) no_install: bool,
    /// Fewer scenarios, fewer rounds, shorter work
    #[arg(long, conflicts_with = "full")]
    pub(crate) quick: bool,
    /// Every measurement, most of them five times, up to 10,000 connections: two to three minutes more for each server
    #[arg(long)]
    pub(crate) full: bool,
    /// No scenarios; with `=WHAT,…` only these measurements
    #[arg(
        long,
        value_name = "WHAT",
        num_args = 0..=1,
        require_equals = true,
        value_delimiter = ',',
        default_missing_value = "all",
        value_parser = clap::builder::PossibleValuesParser::new(measurements())
    )]
    pub(crate) measure_only: Option<Vec<String>>,
    /// Do not build the servers first
    #[arg(long)]
    pub(crate) no_build: bool,
    /// Print everything: every sentence, how it was measured, and pictures
    #[arg(long)]
    pub(crate) details: bool,
    /// Write into this folder [default: target/lab/DATE-AND-TIME, and target/lab for the latest]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// The values of `--measure-only`; old names are hidden.
fn measurements() -> Vec<PossibleValue> {
    let names = registry::ALL.iter().map(|(name, about)| PossibleValue::new(*name).help(*about));
    let mut old: Vec<&str> =
        registry::ALIASES.iter().flat_map(|(aliases, _)| aliases.iter().copied()).collect();
    old.retain(|old| registry::ALL.iter().all(|(name, _)| name != old));
    old.dedup();
    let old = old.into_iter().map(|old| PossibleValue::new(old).hide(true));
    std::iter::once(PossibleValue::new("all").help("All of them.")).chain(names).chain(old).collect()
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "It prints the tables and writes report.html, report.svg, trace.json (for ui.perfetto.dev), samples.csv and latency.hlog; \
    several documents get a folder each.\n\nExamples:\n  \
    lab report target/lab/results.json\n  \
    lab report monday.json tuesday.json --out target/old"
)]
pub(crate) struct Report {
    /// Documents that `lab compare` wrote
    #[arg(value_name = "RESULTS.json", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Print everything: every sentence, how it was measured, and pictures
    #[arg(long)]
    pub(crate) details: bool,
    /// Where to write [default: beside each document]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The page goes to stdout. docs/learned.md and docs/results/learned are written so:\n  \
    lab compare --peers\n  \
    lab learned --write"
)]
pub(crate) struct Learned {
    /// A document that `lab compare` wrote [default: the last run's]
    #[arg(value_name = "RESULTS.json")]
    pub(crate) file: Option<PathBuf>,
    /// Write docs/learned.md, and the pages of all figures beside it
    #[arg(long)]
    pub(crate) write: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A figure has changed when each run's median lies outside what the rounds of the other run spread \
    over, and the medians are further apart than the machine's noise, or what the lab forgives. It is a regression when it is also \
    worse by more than the threshold. A verdict that got worse always is, and so is a server, a scenario or a figure that is \
    gone. Figures of fewer than three rounds, or of runs on unlike machines, plans or loads, are not judged.\n\nExamples:\n  \
    lab diff before.json after.json\n  \
    lab diff before.json after.json --threshold 5 --format json"
)]
pub(crate) struct Diff {
    /// The run before
    #[arg(value_name = "A.json")]
    pub(crate) before: PathBuf,
    /// The run after
    #[arg(value_name = "B.json")]
    pub(crate) after: PathBuf,
    /// Change for the worse, in percent, that a figure may have
    #[arg(long, value_name = "PERCENT", default_value = "20", value_parser = percent)]
    pub(crate) threshold: f64,
    /// Format of the differences
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: ListFormat,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').parse::<f64>().map_err(|error| error.to_string())?;
    if number.is_finite() && number >= 0.0 { Ok(number) } else { Err("must be 0 or more".to_owned()) }
}

/// The ways in which a client disconnects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Leave {
    /// It closes the connection
    Fin,
    /// It resets the connection
    Rst,
    /// It resets the stream by RST_STREAM, over HTTP/2
    Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    Human,
    Json,
    Junit,
    Markdown,
}
