//! The arguments of `lab export`.

use std::path::PathBuf;

use clap::ValueEnum;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "`otlp` is the JSON of OTLP's ExportTraceServiceRequest: a span for each request and for each piece of its work, \
    by OpenTelemetry's semantic conventions. Work that outlives its answer is a span that outlives its parent: it is red, and \
    says how long (search for the tag deadline_lab.zombie=true).\n\n\
    To look at it in Jaeger:\n  \
    docker run --rm -p 16686:16686 -p 4318:4318 jaegertracing/jaeger:latest\n  \
    lab export otlp target/lab/results.json --out run.json\n  \
    curl -H 'Content-Type: application/json' --data-binary @run.json http://127.0.0.1:4318/v1/traces\n  \
    open http://127.0.0.1:16686, choose a server as the service, and as long ago as the run is\n\n\
    In otel-desktop-viewer (https://github.com/CtrlSpice/otel-desktop-viewer), which needs no container:\n  \
    otel-desktop-viewer\n  \
    the same curl; its page opens by itself\n\n\
    Any collector of OpenTelemetry takes it too, by the same curl.\n\nExamples:\n  \
    lab export otlp target/lab/results.json --out run.json\n  \
    lab export perfetto > trace.json    the last run, for https://ui.perfetto.dev"
)]
pub(crate) struct Export {
    /// The format
    #[arg(value_enum)]
    pub(crate) format: ExportFormat,
    /// A document that `lab compare` wrote [default: the last run's]
    #[arg(value_name = "RESULTS.json")]
    pub(crate) file: Option<PathBuf>,
    /// Write into this file [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Requests and their work as OpenTelemetry's spans, in OTLP's JSON
    Otlp,
    /// Requests, work and storms over time, for <https://ui.perfetto.dev>
    Perfetto,
    /// Every sample, one a line
    Csv,
    /// Latencies as HdrHistograms
    Hlog,
}
