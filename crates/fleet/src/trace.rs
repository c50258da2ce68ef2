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
    is_mute: bool,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    hash: DefaultHasher,
    keep: usize,
    lines: VecDeque<String>,
    violations: Vec<String>,
}

impl Trace {
    /// Begins a story of which the last so many lines are kept. `None`: none is told, only violations.
    #[must_use]
    pub fn begin(keep: Option<usize>) -> Self {
        let told = Told { keep: keep.unwrap_or(0), ..Told::default() };
        Self(Arc::new(Inner { began: Instant::now(), is_mute: keep.is_none(), told: Mutex::new(told) }))
    }

    /// Tells of one step.
    pub fn tell(&self, step: fmt::Arguments<'_>) {
        if self.0.is_mute {
            return;
        }
        let line = format!("{:>9.3} {step}", self.0.began.elapsed().as_secs_f64());
        let mut told = self.told();
        line.hash(&mut told.hash);
        if told.keep > 0 {
            if told.lines.len() == told.keep {
                told.lines.pop_front();
            }
            told.lines.push_back(line);
        }
    }

    /// Tells that a rule was broken.
    pub fn violation(&self, rule: &str, what: fmt::Arguments<'_>) {
        self.tell(format_args!("!! {rule}: {what}"));
        let line = format!("{:.3} s: {rule}: {what}", self.0.began.elapsed().as_secs_f64());
        self.told().violations.push(line);
    }

    /// The same story has the same hash.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.told().hash.finish()
    }

    /// What was kept of the story.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.told().lines.iter().cloned().collect()
    }

    /// The rules that were broken.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.told().violations.clone()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
