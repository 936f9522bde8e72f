//! Processes that a child left behind outside its group: a server that went into the background.
//!
//! This process is a subreaper, so the kernel makes every orphan below it a child of its own. Each child is started with a mark
//! in its environment, by which its orphans are told from the children of others.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};

/// The variable that marks a child and all that it starts.
pub(super) const MARK: &str = "LAB_GUARD";
/// The most looks for what is left: each ends a generation of processes.
const LOOKS: usize = 50;
/// The looks at an environment that is empty, a millisecond apart: it is while a process becomes another program.
const BECOMES: usize = 50;

/// Makes this process the parent of every orphan below it.
pub(super) fn adopt() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// The orphans with a mark that begins like this, or in this process group; `child` itself is none.
pub(super) fn of(mark: &str, group: Option<Pid>, child: Option<u32>) -> Vec<Pid> {
    let is_stray = |id: &u32| Some(*id) != child && (has_mark(*id, mark) || in_group(*id, group));
    children().into_iter().filter(is_stray).filter_map(|id| Pid::from_raw(id.cast_signed())).collect()
}

/// Kills and reaps these orphans, and those that their deaths leave; returns how many there were.
pub(super) fn end(mark: &str, group: Option<Pid>, child: Option<u32>) -> usize {
    let mut count = 0;
    for _ in 0..LOOKS {
        let strays = of(mark, group, child);
        if strays.is_empty() {
            break;
        }
        count += strays.len();
        for stray in strays {
            let _ = rustix::process::kill_process(stray, Signal::KILL);
            // Who else would reap it: it is a child of this process now.
            let _ = rustix::process::waitpid(Some(stray), WaitOptions::empty());
        }
    }
    count
}

/// The children of this process, of all its threads.
fn children() -> Vec<u32> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().filter_map(Result::ok);
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

fn has_mark(id: u32, mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    let environ = environ(id);
    environ.split(|byte| *byte == 0).any(|variable| variable.starts_with(wanted.as_bytes()))
}

/// The environment that a process was started with; empty if it is dead, or has none.
fn environ(id: u32) -> Vec<u8> {
    for _ in 0..BECOMES {
        let environ = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        if !environ.is_empty() || matches!(stat(id, 0).as_deref(), None | Some("Z" | "X")) {
            return environ;
        }
        sleep(Duration::from_millis(1));
    }
    Vec::new()
}

fn in_group(id: u32, group: Option<Pid>) -> bool {
    let Some(group) = group else { return false };
    stat(id, 2).and_then(|found| found.parse().ok()) == Some(group.as_raw_nonzero().get())
}

/// A field of the process's state, by its number behind the name: 0 is the state, 1 the parent, 2 the group.
fn stat(id: u32, number: usize) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name may hold anything, so the fields are those behind it.
    stat.rsplit(')').next()?.split_whitespace().nth(number).map(str::to_owned)
}
