//! The program around the gateway: its command line, its configuration, and what it prints.
//!
//! Everything that decides about calls and circuits is in other crates; this one turns what a person wrote into their
//! types ([`config`]), starts what a command asks for ([`commands`]), and shows the result ([`output`]). Results go to
//! standard output, logs and errors to standard error ([`logging`]), and the exit code is 0 when all is fine, 1 when
//! the command failed, 2 when it was called wrongly (DESIGN 1.2).
//!
//! It is a library with a few lines of `main` so that tests and documentation reach all of it.

pub mod cli;
pub mod commands;
pub mod config;
pub mod limits;
pub mod logging;
pub mod output;
pub mod reload;
mod screen;
pub mod traces;
