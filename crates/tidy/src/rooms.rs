//! Finds who uses whom: crates by what cargo says of them, modules by the paths in their code.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::rust::{self, Reference};
use crate::tree::File;

/// The folders of crates whose modules may not use each other in a circle.
pub(crate) const LAYERED: [&str; 3] = ["crates/ctx", "crates/harness/load", "crates/harness/testbed"];

/// The names that each name uses.
type Graph = BTreeMap<String, BTreeSet<String>>;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// The kind: `dev`, `build`, or none.
    kind: Option<String>,
    /// The folder of a crate of the workspace; none for one of a registry.
    path: Option<String>,
}

/// Prints the crates of the workspace that each crate uses, and the modules of each layered crate; returns the circles.
pub(crate) fn check(root: &Path, files: &[File]) -> Result<Vec<String>, Box<dyn Error>> {
    let mut complaints = Vec::new();
    let metadata = metadata(root)?;
    let (all, shown) = (crates(&metadata, true), crates(&metadata, false));
    for (name, used) in &shown {
        let tests: BTreeSet<String> = all[name].difference(used).cloned().collect();
        let tests = if tests.is_empty() { String::new() } else { format!("; in tests: {}", list(&tests)) };
        println!("rooms: {name:16} {}{tests}", list(used));
    }
    complaints.extend(circle(&all).map(|circle| format!("crates use each other: {circle}")));
    for folder in LAYERED {
        for (parent, graph) in modules(folder, files) {
            let parent = [folder.to_owned()].into_iter().chain(parent).collect::<Vec<_>>().join("::");
            for (name, used) in &graph {
                println!("rooms: {parent}::{name:16} {}", list(used));
            }
            complaints
                .extend(circle(&graph).map(|circle| format!("{parent}: modules use each other: {circle}")));
        }
    }
    Ok(complaints)
}

fn list(names: &BTreeSet<String>) -> String {
    if names.is_empty() { "-".into() } else { names.iter().cloned().collect::<Vec<_>>().join(", ") }
}

fn metadata(root: &Path) -> Result<Metadata, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(root)
        .output()?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Returns the crates of the workspace that each of them uses, with those that only its tests use if `tests`.
fn crates(metadata: &Metadata, tests: bool) -> Graph {
    let used = |package: &Package| {
        let used = package.dependencies.iter().filter(|dependency| {
            dependency.path.is_some() && (tests || dependency.kind.as_deref() != Some("dev"))
        });
        used.map(|dependency| dependency.name.clone()).collect()
    };
    metadata.packages.iter().map(|package| (package.name.clone(), used(package))).collect()
}

/// Returns, for each module that has modules in it, which of them uses which.
fn modules(folder: &str, files: &[File]) -> BTreeMap<Vec<String>, Graph> {
    let source = format!("{folder}/src/");
    let mut known: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut references: Vec<Reference> = Vec::new();
    let mut exports: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_test()) {
        let Some(path) = file.path.strip_prefix(&source) else { continue };
        let module = module(path);
        if module.is_empty() {
            exports = rust::exports(&file.tokens);
        } else {
            references.extend(rust::references(&file.tokens, &module));
            known.insert(module);
        }
    }
    let mut graphs: BTreeMap<Vec<String>, Graph> = BTreeMap::new();
    for module in &known {
        if let Some((name, parent)) = module.split_last() {
            graphs.entry(parent.to_vec()).or_default().entry(name.clone()).or_default();
        }
    }
    for Reference { from, mut to, .. } in references {
        if let Some(exported) = to.first().and_then(|first| exports.get(first)) {
            to.splice(..1, exported.iter().cloned());
        }
        let common = from.iter().zip(&to).take_while(|(one, two)| one == two).count();
        let is_module = to.len() > common && known.contains(&to[..=common]);
        if from.len() > common && is_module {
            let graph = graphs.entry(from[..common].to_vec()).or_default();
            graph.entry(from[common].clone()).or_default().insert(to[common].clone());
        }
    }
    graphs.retain(|_, graph| graph.len() > 1);
    graphs
}

/// Returns the module of the file at `path` below `src`; empty for the crate's root.
fn module(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    if matches!(path, "lib" | "main") { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// Returns a circle of the graph, as `a -> b -> a`, if there is one.
fn circle(graph: &Graph) -> Option<String> {
    let mut left = graph.clone();
    // What uses nothing that is left is in no circle.
    loop {
        let names: BTreeSet<String> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|_, used| used.intersection(&names).next().is_some());
        if left.len() == before {
            break;
        }
    }
    let mut way = vec![left.keys().next()?.clone()];
    loop {
        let next = left[way.last()?].iter().find(|used| left.contains_key(*used))?.clone();
        if let Some(begin) = way.iter().position(|name| *name == next) {
            way.push(next);
            return Some(way[begin..].join(" -> "));
        }
        way.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graphs(files: &[(&str, &str)]) -> BTreeMap<Vec<String>, Graph> {
        let parse = |(path, text): &(&str, &str)| {
            File::parse(&format!("a/src/{path}"), (*text).into()).expect("the text is Rust")
        };
        modules("a", &files.iter().map(parse).collect::<Vec<_>>())
    }

    fn top(files: &[(&str, &str)]) -> Graph {
        graphs(files).remove(&Vec::new()).expect("there are modules")
    }

    #[test]
    fn finds_a_circle_of_modules() {
        let two = top(&[("b.rs", "use crate::c::D;"), ("c.rs", "fn f() { super::b::g() }")]);
        assert_eq!(circle(&two).as_deref(), Some("b -> c -> b"));
    }

    #[test]
    fn finds_a_circle_that_goes_through_a_name_of_the_root() {
        let root = ("lib.rs", "mod b; mod c;\npub use b::{B, x::Y as Z};");
        let two = top(&[root, ("b.rs", "use crate::c::D;"), ("c.rs", "use crate::Z;")]);
        assert_eq!(circle(&two).as_deref(), Some("b -> c -> b"));
    }

    #[test]
    fn finds_a_circle_within_a_module() {
        let all = graphs(&[("b.rs", ""), ("b/c.rs", "use super::d::D;"), ("b/d.rs", "use crate::b::c::C;")]);
        assert_eq!(circle(&all[&vec!["b".to_owned()]]).as_deref(), Some("c -> d -> c"));
    }

    #[test]
    fn allows_layers_and_what_tests_use() {
        let test = "use crate::c::D;\n#[cfg(test)]\nmod tests { use super::*; }";
        let layers = top(&[("b.rs", test), ("c.rs", "#[cfg(test)]\nmod tests { use crate::b::B; }")]);
        assert_eq!(circle(&layers), None);
    }

    #[test]
    fn finds_a_circle_of_crates_behind_others() {
        let graph = |pairs: &[(&str, &str)]| {
            let mut graph = Graph::new();
            for (one, two) in pairs {
                graph.entry((*one).into()).or_default().insert((*two).into());
                graph.entry((*two).into()).or_default();
            }
            graph
        };
        assert_eq!(circle(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
        assert_eq!(circle(&graph(&[("a", "b"), ("b", "c"), ("c", "b")])).as_deref(), Some("b -> c -> b"));
    }
}
