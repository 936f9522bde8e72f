//! A finished run, for people and machines.
//!
//! # Layout
//!
//! - [`formats`]: verdicts as text, JSON, JUnit XML and Markdown; [`pages`]: the table of scenarios as a document.
//! - [`stranger`]: the verdict on a server that is not of the list, on one screen.
//! - [`conclusion`]: a run in a few sentences that need no other text.
//! - [`findings`]: tables across all servers of a run, with reasons; [`learned`]: what a run taught, as pages.
//! - [`proxies`]: a run of intermediaries as a page.
//! - [`matrix`]: the verdicts as tables.
//! - [`terminal`]: the tables and pictures of `lab compare`; [`page`]: the report as one HTML file.
//! - [`preview`]: what that report opens with, as an SVG that stands alone.
//! - [`terminal::render`], [`html`], [`markdown`]: the three renderers of a table.
//! - [`gallery`]: servers on other people's frameworks, as a document and a page.
//! - [`picture`]: the picture in the README.
//! - [`watched`]: a server under somebody else's load, in sentences.
//! - [`chain`]: a request through a chain of servers.
//! - [`advice`]: the remedies for what a run has shown.
//! - [`export`]: files for other programs.

pub mod advice;
pub mod chain;
pub mod conclusion;
pub mod export;
pub mod findings;
pub mod formats;
pub mod gallery;
pub mod html;
pub mod learned;
pub mod markdown;
pub mod matrix;
pub mod page;
pub mod pages;
pub mod picture;
pub mod preview;
pub mod proxies;
pub mod readme;
pub mod stranger;
pub mod terminal;
pub mod watched;

#[cfg(test)]
mod tables;
