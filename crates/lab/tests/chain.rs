//! `lab check --chain` on chains that cannot be judged: nothing is built, and what to do is said.

use std::path::Path;
use std::process::{Command, Output};

use suite::exit::Exit;

/// Judges a chain on a machine that has no programs.
fn check(chain: &str) -> Output {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate stands in a workspace");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(["check", "--chain", chain]).current_dir(root);
    // A Go of the lab's own would be found in the target folder.
    command.env("PATH", "/nonexistent").env("CARGO_TARGET_DIR", "/nonexistent");
    command.output().expect("the lab runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_chain_with_an_absent_link_is_unsupported_and_says_what_to_install() {
    let ended = check("tokio,go-context,smol");
    let told = text(&ended.stdout);
    for part in ["unsupported", "link `go-context`: no `go` on the PATH: install go>=1.25"] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    assert_eq!(ended.status.code(), Some(i32::from(Exit::NotRun.status())));
}

#[test]
fn a_chain_of_one_is_refused_at_once() {
    let ended = check("tokio");
    assert!(text(&ended.stderr).contains("a chain has 2 to 9 servers, and `tokio` has 1"), "{ended:?}");
    assert_eq!((ended.status.code(), text(&ended.stdout).as_str()), (Some(2), ""));
}

#[test]
fn a_link_that_is_not_of_the_list_is_refused_with_the_names_there_are() {
    let ended = check("tokio,nope");
    assert!(text(&ended.stderr).contains("unknown server `nope`; the list has: tokio, async-std"));
    assert_ne!(ended.status.code(), Some(0));
}
