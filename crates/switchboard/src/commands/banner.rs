//! What `serve` says of itself at the start: three lines on a terminal, and the same as fields of a line in the log.

use std::{collections::BTreeMap, io, net::SocketAddr};

use circuits::{Circuits, StoreStatus};
use manager::Route;

use crate::output::{Output, Style, printable};

/// The log names so many routes and counts the others.
const MAX_ROUTES: usize = 10;

/// Where the page is, what can be called, and where the circuits are.
#[derive(Debug)]
pub(super) struct Banner {
    /// The address of the page.
    pub(super) page: String,
    /// The names of the routes.
    pub(super) routes: String,
    /// The store of the circuits, and whether it is shared.
    pub(super) store: String,
}

impl Banner {
    pub(super) fn new(address: SocketAddr, routes: &BTreeMap<String, Route>, circuits: &Circuits) -> Self {
        Self {
            page: format!("http://{address}/dashboard"),
            routes: list_routes(routes.keys().map(String::as_str)),
            store: describe_store(&circuits.store_status(), &circuits.store_info().address),
        }
    }

    /// Prints the three lines.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(super) fn print(&self, output: Output) -> io::Result<()> {
        for (label, text) in [("page", &self.page), ("routes", &self.routes), ("store", &self.store)] {
            let label = output.paint(Style::Strong, label);
            output.print_line(format_args!("{label:<8}{}", printable(text)))?;
        }
        Ok(())
    }
}

fn list_routes<'r>(names: impl ExactSizeIterator<Item = &'r str>) -> String {
    let count = names.len();
    if count == 0 {
        return "none (call models as provider:model)".to_owned();
    }
    let shown = names.take(MAX_ROUTES).collect::<Vec<_>>().join(", ");
    match count.saturating_sub(MAX_ROUTES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn describe_store(status: &StoreStatus, address: &str) -> String {
    match status {
        StoreStatus::Embedded => "not shared (no Redis)".to_owned(),
        StoreStatus::Connected => format!("{address}, shared"),
        StoreStatus::Starting | StoreStatus::Degraded { .. } => {
            format!("{address}, unreachable: not shared until it is back")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_routes_are_counted() {
        let names: Vec<_> = (0..12).map(|number| format!("r{number}")).collect();
        for (count, expected) in [
            (0, "none (call models as provider:model)"),
            (2, "r0, r1"),
            (12, "r0, r1, r2, r3, r4, r5, r6, r7, r8, r9 and 2 more"),
        ] {
            assert_eq!(list_routes(names[..count].iter().map(String::as_str)), expected);
        }
    }

    #[test]
    fn a_store_that_nobody_asked_for_is_not_missed() {
        let address = "redis://localhost:6379";
        for (status, expected) in [
            (StoreStatus::Embedded, "not shared (no Redis)"),
            (StoreStatus::Connected, "redis://localhost:6379, shared"),
            (StoreStatus::Starting, "redis://localhost:6379, unreachable: not shared until it is back"),
        ] {
            assert_eq!(describe_store(&status, address), expected);
        }
    }
}
