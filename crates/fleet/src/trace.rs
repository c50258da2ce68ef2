//! What happened in a run: a hash of every step, the last steps as text if requested, and violations.

use std::{
    collections::VecDeque,
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

/// The trace of one run.
#[derive(Debug, Clone)]
pub struct Trace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    /// Steps are not recorded: for runs that only measure.
    is_muted: bool,
    state: Mutex<TraceState>,
}

#[derive(Debug, Default)]
struct TraceState {
    hash: DefaultHasher,
    max_lines: usize,
    lines: VecDeque<String>,
    violations: Vec<String>,
}

impl Trace {
    /// Begins a trace that keeps this many lines. `None`: it records violations only.
    #[must_use]
    pub fn begin(keep: Option<usize>) -> Self {
        let state = TraceState { max_lines: keep.unwrap_or(0), ..TraceState::default() };
        Self(Arc::new(Inner { began: Instant::now(), is_muted: keep.is_none(), state: Mutex::new(state) }))
    }

    /// Records one step.
    pub fn log(&self, step: fmt::Arguments<'_>) {
        if self.0.is_muted {
            return;
        }
        let line = format!("{:>9.3} {step}", self.0.began.elapsed().as_secs_f64());
        let mut state = self.state();
        line.hash(&mut state.hash);
        if state.max_lines > 0 {
            if state.lines.len() == state.max_lines {
                state.lines.pop_front();
            }
            state.lines.push_back(line);
        }
    }

    /// Records that a rule was broken.
    pub fn log_violation(&self, rule: &str, what: fmt::Arguments<'_>) {
        self.log(format_args!("!! {rule}: {what}"));
        let line = format!("{:.3} s: {rule}: {what}", self.0.began.elapsed().as_secs_f64());
        self.state().violations.push(line);
    }

    /// The hash of all steps.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.state().hash.finish()
    }

    /// The last lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.state().lines.iter().cloned().collect()
    }

    /// The rules that were broken.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    fn state(&self) -> MutexGuard<'_, TraceState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
