//! The arguments of `lab show`.

use super::Leave;
use super::load::lasting;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lab show threads '/slow?work=3s&style=drop' --deadline 300ms     a thread that cannot be stopped\n  \
    lab show tokio '/slow?work=3s&style=context' --deadline 300ms    work that listens\n  \
    lab show smol '/slow?work=3s' --leave rst --after 300ms          a client that leaves\n  \
    lab show smol '/slow?work=3s' --http2 --leave stream             a stream that is reset\n  \
    lab show tokio '/slow?work=3s&style=query-dropped' --deadline 300ms    a query that nobody cancels\n  \
    lab show tokio '/slow?work=3s&style=process' --deadline 300ms    a child process\n  \
    lab show tokio '/slow?work=3s' --hops 5 --leave fin             a chain of five, whose client leaves\n  \
    lab show --chain tokio,smol,threads --deadline 300ms            a chain of three, with its budgets\n  \
    lab show --run 'python3 server.py' --deadline 300ms              a server of your own\n\n\
    Work outside the process has a bar of its own, by what is seen from outside the server: a child in /proc, a query in pg_stat_activity, another \
    server by its heartbeats. The database (Debian's `postgresql`) and the other server are started with the first.")]
pub(crate) struct Show {
    /// The server, by its name in `lab list`; left out with --run, --url and --chain
    #[arg(value_name = "SERVER", required_unless_present_any = ["run", "url", "chain"])]
    pub(crate) server: Option<String>,
    /// Target of the request [default: /slow?work=3s]
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<String>,
    /// A server of your own, which this command starts; `{port}` and `{witness}` as in `lab check`
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["url", "flag"])]
    pub(crate) run: Option<String>,
    /// Longest time until that command serves
    #[arg(long, value_name = "D", default_value = "10s", value_parser = lasting, requires = "run")]
    pub(crate) start_timeout: std::time::Duration,
    /// A chain of servers of the list, each of which asks the next; 2 to 9, a comma between them
    #[arg(long, value_name = "SERVER,…", value_delimiter = ',', conflicts_with_all = ["run", "url", "hops"])]
    pub(crate) chain: Vec<String>,
    /// A chain of as many servers like this one, each of which asks the next
    #[arg(long, value_name = "N", conflicts_with_all = ["run", "url"])]
    pub(crate) hops: Option<u8>,
    /// A server that runs already; its work is not heard
    #[arg(long, value_name = "http://HOST:PORT", conflicts_with = "flag")]
    pub(crate) url: Option<String>,
    /// Ask over HTTP/2, with prior knowledge
    #[arg(long)]
    pub(crate) http2: bool,
    /// The deadline the client asks for [default: the server's own]
    #[arg(long, value_name = "D", value_parser = contract::duration::parse)]
    pub(crate) deadline: Option<std::time::Duration>,
    /// Leave before the answer, in this way
    #[arg(long, value_enum)]
    pub(crate) leave: Option<Leave>,
    /// When to leave
    #[arg(long, value_name = "D", default_value = "300ms", value_parser = contract::duration::parse, requires = "leave")]
    pub(crate) after: std::time::Duration,
    /// A flag for the server, without its dashes; may be given again
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) flag: Vec<String>,
}

impl Show {
    /// Returns the server's name, if it is of the list, and the target. With a server of the user's own, or a chain, the first word is the
    /// target.
    ///
    /// # Errors
    /// When there is a word too many.
    pub(crate) fn asked(&self) -> Result<(Option<&str>, &str), String> {
        const TARGET: &str = "/slow?work=3s";
        let (first, second) = (self.server.as_deref(), self.target.as_deref());
        if self.run.is_none() && self.url.is_none() && self.chain.is_empty() {
            return Ok((first, second.unwrap_or(TARGET)));
        }
        match second {
            Some(second) => {
                Err(format!("`{second}`: with --run, --url or --chain the target is the only word"))
            }
            None => Ok((None, first.unwrap_or(TARGET))),
        }
    }
}
