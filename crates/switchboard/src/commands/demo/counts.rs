//! What is told at the end.

use std::io;

use breaker::ModelKey;

use super::callers::Tally;
use crate::output::{Output, Style};

/// Calls made and calls that reached the primary, while it was dead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outages {
    reached_primary: usize,
    total: usize,
    /// Of the outage that lasts: both counts at its beginning.
    counts_at_start: Option<(usize, usize)>,
}

impl Outages {
    /// An outage begins; so many calls have reached the primary and been made until now.
    pub(super) const fn begin(&mut self, reached: usize, made: usize) {
        self.counts_at_start = Some((reached, made));
    }

    /// The outage ends, if there is one.
    pub(super) const fn end(&mut self, reached: usize, made: usize) {
        if let Some((reached_before, made_before)) = self.counts_at_start.take() {
            self.reached_primary += reached - reached_before;
            self.total += made - made_before;
        }
    }
}

/// The counts of a demo.
#[derive(Debug)]
pub(super) struct Counts {
    /// The model that fails.
    pub(super) primary: ModelKey,
    /// The model that stands in for it.
    pub(super) backup: ModelKey,
    /// The callers' own.
    pub(super) tally: Tally,
    /// The provider's own.
    pub(super) outages: Outages,
    /// The circuit's, as is the next.
    pub(super) probes: usize,
    /// Changes of state.
    pub(super) transitions: usize,
}

impl Counts {
    /// Calls that got no whole answer.
    pub(super) const fn lost(&self) -> usize {
        self.tally.lost
    }

    /// Prints them.
    pub(super) fn print(&self, output: Output) -> io::Result<()> {
        output.print_line(format_args!("\n{}", output.paint(Style::Strong, "in all")))?;
        for (name, count) in self.lines() {
            let line = format!("  {name}: {count}");
            let style = if self.lost() == 0 { Style::Good } else { Style::Bad };
            match name.as_str() {
                "lost" => output.print_line(output.paint(style, line))?,
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
            ("calls".to_owned(), tally.started.to_string()),
            answered(primary),
            answered(&self.backup),
            ("lost".to_owned(), tally.lost.to_string()),
            (
                format!("calls that reached {primary} while it was dead"),
                format!("{} of {} made in that time", outages.reached_primary, outages.total),
            ),
            ("probes".to_owned(), self.probes.to_string()),
            ("transitions".to_owned(), self.transitions.to_string()),
            ("slowest call".to_owned(), format!("{:.2} s", tally.slowest.as_secs_f64())),
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
