//! The ModelManager against simulated providers: real HTTP on loopback, circuits in memory.

mod chain;
mod faults;
mod streams;
mod support;
mod waits;
