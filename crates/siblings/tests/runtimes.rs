//! The servers that are not tokio's have nothing of its runtime: h2, under hyper, takes its traits alone.

use std::path::Path;
use std::process::Command;

#[test]
fn no_server_but_tokio_s_is_built_with_tokio_s_runtime() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let done =
        Command::new(root.join("scripts/runtimes.sh")).output().expect("the script is part of the sources");
    let (said, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}{complained}");
    for server in ["server-async-std", "server-smol", "server-threads"] {
        assert!(said.contains(&format!("runtimes: {server} starts no thread or timer of tokio")), "{said}");
    }
}
