//! Tokens used.

/// The tokens that a response, or one event of it, reports; `None`: not reported (there).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, including those read from or written to a cache.
    pub input: Option<u64>,
    /// Tokens of the response, including thinking.
    pub output: Option<u64>,
}

impl Usage {
    /// The usage once `later` was reported too. Reports are running totals, so the last one counts.
    #[must_use]
    pub fn updated_by(self, later: Self) -> Self {
        Self { input: later.input.or(self.input), output: later.output.or(self.output) }
    }
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn the_last_report_counts() {
        let start = Usage { input: Some(10), output: Some(1) };
        let end = Usage { input: None, output: Some(7) };
        assert_eq!(start.updated_by(end), Usage { input: Some(10), output: Some(7) });
    }
}
