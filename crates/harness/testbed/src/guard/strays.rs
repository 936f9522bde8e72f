//! Processes that a child left behind outside its group: a server that went into the background.
//!
//! This process is a subreaper, so the kernel makes every orphan below it a child of its own. Each child is started with a mark
//! in its environment, by which its orphans are told from the children of others.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::thread::sleep;
use std::time::Duration;

use procfs::process::Process;
use procfs::{ProcError, ProcResult};
use rustix::process::{Pid, Signal, WaitOptions};

/// The variable that marks a child and all that it starts.
pub(super) const MARK: &str = "LAB_GUARD";
/// The most looks for what is left: each ends a generation of processes.
const LOOKS: usize = 50;
/// The most looks at the environment of a process that becomes another program, a millisecond apart: it is empty meanwhile.
const BECOMES: usize = 2000;
/// The looks that find nothing in an environment which has its place: it may have got both between two questions.
const BARE: usize = 3;

/// Makes this process the parent of every orphan below it.
pub(super) fn adopt() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// The orphans with a mark that begins like this, or in this process group; `child` itself is none.
pub(super) fn of(mark: &str, group: Option<Pid>, child: Option<Pid>) -> Vec<Pid> {
    let is_own = |id: Pid| has_mark(id, mark) || group.is_some_and(|group| in_group(id, group));
    let is_stray = |id: &Pid| Some(*id) != child && is_own(*id);
    children().into_iter().filter(is_stray).collect()
}

/// Kills and reaps these orphans, and those that their deaths leave; returns how many there were.
pub(super) fn end(mark: &str, group: Option<Pid>, child: Option<Pid>) -> usize {
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
pub(super) fn children() -> Vec<Pid> {
    let tasks = Process::myself().and_then(|own| own.tasks()).into_iter().flatten().flatten();
    let ids = tasks.filter_map(|task| task.children().ok()).flatten();
    ids.filter_map(|id| Pid::from_raw(id.cast_signed())).collect()
}

fn read(id: Pid) -> ProcResult<Process> {
    Process::new(id.as_raw_nonzero().get())
}

fn has_mark(id: Pid, mark: &str) -> bool {
    environ(id).get(OsStr::new(MARK)).is_some_and(|own| own.as_bytes().starts_with(mark.as_bytes()))
}

/// The environment that a process was started with; empty if it is dead, or has none.
fn environ(id: Pid) -> HashMap<OsString, OsString> {
    let mut bare = 0;
    for _ in 0..BECOMES {
        let Ok(process) = read(id) else { break };
        match process.environ() {
            Ok(environ) if !environ.is_empty() => return environ,
            Err(ProcError::PermissionDenied(_)) => break,
            _ => {}
        }
        let Ok(stat) = process.stat() else { break };
        // The place of an environment is set last, and also where there is nothing in it.
        bare += usize::from(stat.env_end.unwrap_or_default() > 0);
        if "ZX".contains(stat.state) || bare == BARE {
            break;
        }
        sleep(Duration::from_millis(1));
    }
    HashMap::new()
}

fn in_group(id: Pid, group: Pid) -> bool {
    read(id).and_then(|process| process.stat()).is_ok_and(|stat| stat.pgrp == group.as_raw_nonzero().get())
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    #[test]
    fn an_environment_is_read_and_one_with_nothing_in_it_is_not_waited_for() {
        let start = |mark: Option<&str>| {
            let mut sleep = Command::new("sleep");
            sleep.arg("60").env_clear().envs(mark.map(|mark| (MARK, mark))).spawn().unwrap()
        };
        let (mut marked, mut bare) = (start(Some("1-2c")), start(None));
        let (began, id) = (Instant::now(), Pid::from_child(&bare));
        assert!(has_mark(Pid::from_child(&marked), "1-2c") && !has_mark(Pid::from_child(&marked), "1-3c"));
        assert!(environ(id).is_empty() && began.elapsed() < Duration::from_secs(1));
        for child in [&mut marked, &mut bare] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
