//! The arguments of `lab load`.

use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lab load http://127.0.0.1:8080/fast                   closed loop: 64 connections, back to back\n  \
    lab load http://127.0.0.1:8080/fast --rate 5000       open loop: latency from when each request was due\n  \
    lab load http://127.0.0.1:8080/new --expect 201       answers with another status than these are no throughput")]
pub(crate) struct Load {
    /// The server and what to ask for
    #[arg(value_name = "http://HOST:PORT/PATH")]
    pub(crate) url: String,
    /// Connections
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) connections: u32,
    /// Length of the load
    #[arg(long = "for", value_name = "D", default_value = "3s", value_parser = lasting)]
    pub(crate) lasting: Duration,
    /// Requests a second, whether the server keeps up or not [default: as many as it answers]
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Statuses that count as good answers
    #[arg(long, value_name = "STATUS,…", value_delimiter = ',', default_value = "200,504",
        value_parser = clap::value_parser!(u16).range(200..=599))]
    pub(crate) expect: Vec<u16>,
    /// The row as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn lasting(text: &str) -> Result<Duration, String> {
    match contract::duration::parse(text)? {
        Duration::ZERO => Err("must be above zero".to_owned()),
        lasting if lasting > Duration::from_secs(86_400) => Err("is a day at most".to_owned()),
        lasting => Ok(lasting),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    const MOST: f64 = 1e6;
    let rate: f64 = text.parse().map_err(|_| "takes a number of requests a second".to_owned())?;
    // Not below one in a thousand seconds: the schedule has to have a request at all.
    if (0.001..=MOST).contains(&rate) { Ok(rate) } else { Err(format!("takes 0.001 to {MOST}")) }
}
