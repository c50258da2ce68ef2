//! The reference pages, which are written from the code.

mod api;
mod cli;
mod configuration;
mod environment;
mod errors;
