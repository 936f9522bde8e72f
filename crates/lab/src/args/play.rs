//! The arguments of `lab play`.

#[derive(Debug, clap::Args)]
#[command(after_help = "\
It prints the address of a page, which is for this machine alone. On the page one sends `/slow` to a server in a style of work, \
with a deadline, and lets the client wait or disconnect. Two bars grow: the request, and the work by its own heartbeats. Work \
that goes on when its request has ended turns red: a zombie. Beside it stand the process (threads, \
descriptors, memory) and the code of the server, with the lines that decide it marked. Each experiment has a link that repeats it.\n\nTo begin:\n  \
1. style `context`, deadline 300 ms: the work stops with its request\n  \
2. style `blocking`, the same deadline: the answer is as early, and the work goes on\n  \
3. style `drop` on tokio and on threads: a future can be dropped, a thread cannot\n  \
4. `kill the client` while style `spin` runs: the work never looks\n\nExamples:\n  \
lab play                                 the lab's own servers, and the peers that need no build or have one\n  \
lab play threads tokio --port 8000       these two, at an address that stays the same\n  \
lab play --run 'python3 server.py'       a server of your own that sends heartbeats to LAB_WITNESS\n\n\
Ctrl-C ends it and every server that it started.")]
pub(crate) struct Play {
    /// Servers of the list [default: the lab's own, and those in other languages that need no build, or have one]
    #[arg(value_name = "SERVER", conflicts_with_all = ["peers", "run"])]
    pub(crate) servers: Vec<String>,
    /// Build all others of the list that are not built yet, too
    #[arg(long, conflicts_with = "run")]
    pub(crate) peers: bool,
    /// The server that this command starts; `{port}` stands for a free port, `{witness}` for where heartbeats go
    #[arg(long, value_name = "COMMAND")]
    pub(crate) run: Option<String>,
    /// Port of the page on loopback; 0 is a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) port: u16,
    /// Do not build the servers first
    #[arg(long)]
    pub(crate) no_build: bool,
}
