//! The program around the gateway: its command line, its configuration, and what it prints.
//!
//! Other crates decide about requests and circuits; this one reads the configuration into their types ([`config`]),
//! runs the commands ([`commands`]) and prints the results ([`output`]). Results go to standard output, logs and errors
//! to standard error ([`logging`]). The exit code is 0 on success, 1 on failure and 2 on a usage error.
//!
//! It is a library with a tiny `main`, so that tests and documentation reach all of it, and it is compiled once.
//!
//! Dependencies between its modules run one way:
//!
//! ```text
//! main ─▶ program
//!            ▼
//!         commands ─▶ cli ─▶ logging ─▶ output, traces ─▶ config ─▶ the other crates
//!            │                  └─▶ call_lines ─▶ log_queue ─▶ printable ◀─ output, screen
//!            │                          └─▶ line_values
//!            ├──────▶ reload ──────────────────────────────▶ config
//!            ├──────▶ limits, memory, screen, table ─▶ output ─▶ wrap
//!            └──────▶ service_manager ─────────────────────▶ config
//! ```

mod call_lines;
pub mod cli;
pub mod commands;
pub mod config;
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
mod line_values;
pub mod log_queue;
pub mod logging;
pub mod memory;
pub mod output;
pub mod printable;
pub mod program;
pub mod reload;
mod screen;
pub mod service_manager;
pub mod table;
pub mod traces;
pub mod wrap;
