//! The gateway as a client meets it: real HTTP on loopback, simulated providers behind it.

mod access;
mod calls;
mod inspection;
mod streams;
mod support;
