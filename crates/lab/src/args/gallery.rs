//! The arguments of `lab gallery`.

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each server is an adapter in peers/: it is installed in target/gallery, asked the scenarios of deadline, work, disconnect and \
    spared that it supports, and put into docs/results/gallery.json and docs/gallery.md. What cannot be had is absent, with the reason.\n\nExamples:\n  \
    lab gallery                       every adapter whose packages are here\n  \
    lab gallery fastapi --install     one framework, fetched from its registry first\n  \
    lab gallery http/res-close        one way to write a server on it\n  \
    lab gallery --install --ready     fetches and builds everything, so that a run has only to ask\n\n\
    Each server's result is kept as soon as it is there, also when the run is interrupted.\n\n\
    Exit status: 0; 1 when the manifests and the results disagree; 2 when something could not be run."
)]
pub(crate) struct Gallery {
    /// Adapters, or `adapter/variant` [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Fetch what they need with pip, npm and cargo, pinned by the adapter's lock, into target/gallery
    #[arg(long)]
    pub(crate) install: bool,
    /// Install Debian's packages that they need, into the system
    #[arg(long)]
    pub(crate) apt: bool,
    /// Ask nothing: start each server once, and say which are ready to be judged
    #[arg(long, conflicts_with = "only")]
    pub(crate) ready: bool,
    /// Only scenarios that match: `area`, `area/*`, `*/fin`, a comma between several
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Option<String>,
}
