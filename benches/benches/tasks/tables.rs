//! The figures in print: at most 100 columns.

use benches::tasks::{Case, End, Report, Runtime, Way};
use measure::table::{Cell, Column, Table};
use report::terminal::render::{Screen, table as rendered};

use crate::Measured;

/// Points of a curve.
const POINTS: u64 = 8;

/// Returns the figures of a case until now, on one line.
pub(crate) fn line(row: &Measured) -> String {
    let peak = per_task(row, |report| report.peak_bytes);
    let spawn = per_task(row, |report| report.spawn_ns);
    let gone = millis(median(row, |report| report.gone_ns));
    let left = worst(row, |report| report.left);
    format!(
        "{}, {}: {peak:.0} B a task, spawned in {spawn:.0} ns, gone after {gone} ms, {left} left",
        runtime(&row.case),
        way(&row.case)
    )
}

/// Prints a table per question, with the rows that were measured.
pub(crate) fn print(measured: &[Measured]) {
    if measured.iter().all(|row| row.reports.is_empty()) {
        return println!("Nothing was measured.");
    }
    println!(
        "\nTasks that time out. B: bytes per task; `peak` resident (kernel), `heap` asked of the allocator when\n\
         all wait, `kept` by the allocator when all are gone. spawn: with context and deadline. late: last\n\
         gone after last deadline. left: work alive when every task had ended (detached work is released\n\
         then, and 0 remain). An empty cell: not counted, as it is the same per task for fewer."
    );
    let rows = measured.iter().filter(|row| row.case.end == End::Timeout && !row.reports.is_empty());
    print!("{}", timeouts(rows));
    println!(
        "\nTasks that are canceled, a timeout of an hour armed on each. call: until the call that cancels all\n\
         returned. gone: from that call until the last was gone."
    );
    let rows = measured.iter().filter(|row| row.case.end == End::Cancel && !row.reports.is_empty());
    print!("{}", cancels(rows));
    println!("\nOver time, the most tasks of each way: live work (in thousands) / resident bytes per task.");
    print!("{}", curves(measured));
}

fn timeouts<'a>(rows: impl Iterator<Item = &'a Measured>) -> String {
    let header =
        ["tasks", "runtime", "way", "peak B", "heap B", "allocs", "kept B", "spawn ns", "late ms", "left"];
    table(
        &header,
        rows.map(|row| {
            let counted = row.counted.as_ref();
            let tasks = row.case.tasks as f64;
            let heap = counted.and_then(|report| report.heap_bytes).map(|bytes| bytes as f64 / tasks);
            let allocations = counted.and_then(|report| report.allocations).map(|count| count as f64 / tasks);
            vec![
                row.case.tasks.to_string(),
                runtime(&row.case),
                way(&row.case),
                whole(Some(per_task(row, |report| report.peak_bytes))),
                whole(heap),
                allocations.map_or(String::new(), |count| format!("{count:.1}")),
                whole(Some(per_task(row, |report| report.left_pss))),
                whole(Some(per_task(row, |report| report.spawn_ns))),
                millis(median(row, |report| report.gone_ns)),
                worst(row, |report| report.left),
            ]
        }),
    )
}

fn cancels<'a>(rows: impl Iterator<Item = &'a Measured>) -> String {
    let header =
        ["tasks", "runtime", "way", "peak B", "spawn ns", "call ms", "gone ms", "gone ns/task", "left"];
    table(
        &header,
        rows.map(|row| {
            vec![
                row.case.tasks.to_string(),
                runtime(&row.case),
                way(&row.case),
                whole(Some(per_task(row, |report| report.peak_bytes))),
                whole(Some(per_task(row, |report| report.spawn_ns))),
                millis(median(row, |report| report.cancel_ns.unwrap_or(0))),
                millis(median(row, |report| report.gone_ns)),
                whole(Some(per_task(row, |report| report.gone_ns))),
                worst(row, |report| report.left_at_last),
            ]
        }),
    )
}

/// Live tasks and bytes at equal steps between the first spawn and the last task's end.
fn curves(measured: &[Measured]) -> String {
    let most = measured.iter().map(|row| row.case.tasks).max().unwrap_or(0);
    let asked = |case: &Case| {
        case.tasks == most
            && case.end == End::Timeout
            && matches!(case.way, Way::Listens | Way::Dropped | Way::Detached)
    };
    let rows = measured.iter().filter(|row| asked(&row.case)).filter_map(|row| {
        let samples = &row.reports.first()?.samples;
        let end = samples.last()?.at_ms;
        let at = |point: u64| {
            let sample = samples.iter().rev().find(|sample| sample.at_ms <= end * point / (POINTS - 1));
            sample.map_or(String::new(), |sample| {
                format!("{:.0}/{:.0}", sample.live as f64 / 1e3, sample.bytes as f64 / most as f64)
            })
        };
        let name = [runtime(&row.case), way(&row.case), format!("{:.1}", end as f64 / 1e3)];
        Some(name.into_iter().chain((0..POINTS).map(at)).collect())
    });
    table(&["runtime", "way", "s", "0/7", "1/7", "2/7", "3/7", "4/7", "5/7", "6/7", "7/7"], rows)
}

/// Returns a table of rows whose first cell names them; the second and third are words too, up to the way.
fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let words = header.iter().position(|&title| title == "way").unwrap_or(0);
    let column = |(index, title): (usize, &&str)| {
        if index <= words { Column::words(title) } else { Column::of(title, "") }
    };
    let mut table = Table::new("", header[0], header.iter().enumerate().skip(1).map(column));
    for row in rows {
        let mut cells = row.into_iter();
        let head = cells.next().unwrap_or_default();
        table.line(head, cells.map(Cell::plain).collect());
    }
    rendered(&table, Screen::FILE)
}

pub(crate) fn runtime(case: &Case) -> String {
    let name = match case.runtime {
        Runtime::Tokio => "tokio",
        Runtime::Smol => "smol",
        Runtime::AsyncStd => "async-std",
        Runtime::Threads => "threads",
    };
    name.to_owned()
}

fn way(case: &Case) -> String {
    let name = match (case.way, case.runtime) {
        (Way::Listens, Runtime::Threads) => "scoped, ctx.wait",
        (Way::Listens, _) => "ctx, listens",
        (Way::Dropped, _) => "ctx, dropped",
        (Way::Driven, _) => "ctx, one driver",
        (Way::Shared, _) => "one ctx for all",
        (Way::Native, _) => "no ctx, timeout",
        (Way::Detached, _) => "ctx, detached",
        (Way::Handle, Runtime::Tokio) => "JoinHandle::abort",
        (Way::Handle, Runtime::AsyncStd) => "JoinHandle::cancel",
        (Way::Handle, _) => "drop of the Task",
        (Way::JoinSet, _) => "JoinSet",
        (Way::TaskTracker, _) => "TaskTracker",
    };
    name.to_owned()
}

/// The middle of what the rounds reported.
pub(crate) fn median(row: &Measured, figure: impl Fn(&Report) -> u64) -> f64 {
    let mut all: Vec<u64> = row.reports.iter().map(figure).collect();
    all.sort_unstable();
    let middle = all.len() / 2;
    if all.len() % 2 == 1 { all[middle] as f64 } else { (all[middle - 1] + all[middle]) as f64 / 2.0 }
}

pub(crate) fn per_task(row: &Measured, figure: impl Fn(&Report) -> u64) -> f64 {
    median(row, figure) / row.case.tasks as f64
}

/// The most of all rounds: one leak is a leak.
fn worst(row: &Measured, figure: impl Fn(&Report) -> usize) -> String {
    row.reports.iter().map(figure).max().unwrap_or(0).to_string()
}

fn whole(figure: Option<f64>) -> String {
    figure.map_or(String::new(), |figure| format!("{figure:.0}"))
}

fn millis(nanos: f64) -> String {
    format!("{:.2}", nanos / 1e6)
}
