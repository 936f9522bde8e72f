//! Each page in `docs/findings` that shows a program here shows it as it is, and what it prints.

#![expect(clippy::unwrap_used, reason = "a page or a program that is not there fails the test")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// Returns the text between the fence that opens with `language` and the next one.
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("the page has such a block");
    rest.split_once("```").expect("the block ends").0
}

fn shows(page: &str, name: &str, binary: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("../../docs/findings").join(page)).unwrap();
    let source = fs::read_to_string(root.join("src/bin").join(name).with_extension("rs")).unwrap();
    assert_eq!(block(&page, "rust"), source, "the page shows another program");
    let output = Command::new(binary).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        block(&page, "text"),
        String::from_utf8(output.stdout).unwrap(),
        "the program prints something else"
    );
}

macro_rules! pages {
    ($($name:ident: $page:literal;)*) => {
        $(#[test]
        fn $name() {
            shows($page, stringify!($name), env!(concat!("CARGO_BIN_EXE_", stringify!($name))));
        })*
    };
}

pages! {
    finding_barrier: "async-lock-barrier-counts-who-gave-up.md";
    finding_copy: "tokio-copy-loses-bytes.md";
    finding_dropped_request: "hyper-dropped-request-leaves-the-connection-open.md";
    finding_framed_send: "tokio-util-framed-send-is-sent.md";
    finding_read_to_string: "futures-read-to-string-empties-the-buffer.md";
    finding_send_all: "futures-send-all-loses-an-item.md";
    finding_tower_ready: "tower-ready-keeps-a-place.md";
}
