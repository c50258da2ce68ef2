//! What happened, and what must not have: a hash of every step, the steps as text if they are asked for, violations.

use std::{
    collections::VecDeque,
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

/// The story of one run.
#[derive(Debug, Clone)]
pub struct Trace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    /// Nothing is told: for runs that only measure.
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
    /// Begins a story of which the last so many lines are kept. `None`: none is told, only violations.
    #[must_use]
    pub fn begin(keep: Option<usize>) -> Self {
        let state = TraceState { max_lines: keep.unwrap_or(0), ..TraceState::default() };
        Self(Arc::new(Inner { began: Instant::now(), is_muted: keep.is_none(), state: Mutex::new(state) }))
    }

    /// Tells of one step.
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

    /// Tells that a rule was broken.
    pub fn log_violation(&self, rule: &str, what: fmt::Arguments<'_>) {
        self.log(format_args!("!! {rule}: {what}"));
        let line = format!("{:.3} s: {rule}: {what}", self.0.began.elapsed().as_secs_f64());
        self.state().violations.push(line);
    }

    /// The same story has the same hash.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.state().hash.finish()
    }

    /// What was kept of the story.
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
