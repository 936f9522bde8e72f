//! The broken servers as subjects of the harness.

use broken::{Fault, SUPPORTS};
use clap::ValueEnum;
use testbed::capability::Supports;
use testbed::catalog::{self, Stanza};
use testbed::subject::Subject;

/// The name of a fault, as its flag spells it.
pub(crate) fn name(fault: Fault) -> String {
    fault.to_possible_value().expect("no fault is hidden").get_name().to_owned()
}

/// Returns the server with a fault, under the fault's name.
///
/// # Errors
/// When this is no checkout of the workspace.
pub(crate) fn subject(fault: Fault) -> Result<Subject, String> {
    let words = SUPPORTS.iter().map(|word| word.parse().expect("it is a capability"));
    let stanza = Stanza {
        name: name(fault),
        about: String::new(),
        build: None,
        run: format!("{} --fault {}", env!("CARGO_BIN_EXE_broken"), name(fault)),
        version: None,
        needs: Vec::new(),
        supports: Supports::Only(words.collect()),
        peer: false,
        with: None,
        without: None,
    };
    Subject::listed(&stanza, &catalog::root()?, None)
}
