//! The program `switchboard`; see the library of the same name.

use std::process::ExitCode;

/// A request makes many small, short-lived allocations, and this allocator is the fastest at them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    switchboard::program::run()
}
