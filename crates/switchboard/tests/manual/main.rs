//! The manual: its pages are linked, its commands and examples work, and its reference is what the code says.
//!
//! Pages and pictures that are written by these tests are brought up to date by
//! `WRITE=1 cargo test -p switchboard --test manual`.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail tests")]

mod commands;
mod examples;
mod generated;
mod headings;
mod links;
mod pages;
mod pictures;
mod redis_values;
mod reference;
mod repository_links;
mod spanish;
mod summary;
mod words;
