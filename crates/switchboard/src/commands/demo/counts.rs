//! The summary at the end.

use std::io;

use breaker::ModelKey;

use super::callers::Tally;
use crate::output::{Output, Style};

/// Requests made, and requests sent to the primary, during outages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outages {
    reached_primary: usize,
    total: usize,
    /// Both counts at the start of the current outage.
    counts_at_start: Option<(usize, usize)>,
}

impl Outages {
    /// An outage starts, with the counts so far.
    pub(super) const fn begin(&mut self, reached: usize, made: usize) {
        self.counts_at_start = Some((reached, made));
    }

    /// The current outage ends, if there is one.
    pub(super) const fn end(&mut self, reached: usize, made: usize) {
        if let Some((reached_before, made_before)) = self.counts_at_start.take() {
            self.reached_primary += reached - reached_before;
            self.total += made - made_before;
        }
    }
}

/// The name of the count that has a colour.
const FAILED: &str = "failed requests";

/// The counts of a demo.
#[derive(Debug)]
pub(super) struct Counts {
    /// The model that fails.
    pub(super) primary: ModelKey,
    /// Its fallback.
    pub(super) backup: ModelKey,
    /// Counted by the callers.
    pub(super) tally: Tally,
    /// Counted by the provider.
    pub(super) outages: Outages,
    /// Probes of its circuit.
    pub(super) probes: usize,
    /// State changes of its circuit.
    pub(super) transitions: usize,
}

impl Counts {
    /// Requests without a complete response.
    pub(super) const fn failed(&self) -> usize {
        self.tally.failed
    }

    /// Prints them.
    pub(super) fn print(&self, output: Output) -> io::Result<()> {
        output.print_line(format_args!("\n{}", output.paint(Style::Strong, "Summary")))?;
        for (name, count) in self.lines() {
            let line = format!("  {name}: {count}");
            let style = if self.failed() == 0 { Style::Good } else { Style::Bad };
            match name.as_str() {
                FAILED => output.print_line(output.paint(style, line))?,
                _ => output.print_line(line)?,
            }
        }
        Ok(())
    }

    fn lines(&self) -> Vec<(String, String)> {
        let Self { primary, tally, outages, .. } = self;
        let answered = |model: &ModelKey| {
            let calls = tally.answered.get(model.as_str()).copied().unwrap_or(0);
            (format!("answered by {model}"), calls.to_string())
        };
        vec![
            ("requests".to_owned(), tally.started.to_string()),
            answered(primary),
            answered(&self.backup),
            (FAILED.to_owned(), tally.failed.to_string()),
            (
                format!("requests sent to {primary} during the outage"),
                format!("{} of {}", outages.reached_primary, outages.total),
            ),
            ("probes".to_owned(), self.probes.to_string()),
            ("transitions".to_owned(), self.transitions.to_string()),
            ("slowest request".to_owned(), format!("{:.2} s", tally.slowest.as_secs_f64())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happens_during_an_outage_counts() {
        let mut outages = Outages::default();
        outages.end(9, 9);
        assert_eq!(outages, Outages::default());
        outages.begin(10, 20);
        outages.end(14, 60);
        outages.begin(50, 100);
        outages.end(51, 110);
        outages.end(90, 200);
        assert_eq!((outages.reached_primary, outages.total), (5, 50));
    }
}
