//! What this machine lacks, in the log: loudly, but not once per call (C8).

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use providers::LocalResource;
use tokio::time::Instant;

/// From one line to the next.
const INTERVAL: Duration = Duration::from_secs(60);

/// One for the process, since it is the process that lacks something.
static LOG: ShortageLog = ShortageLog { state: Mutex::new(ShortageState { last: None, unlogged: 0 }) };

struct ShortageLog {
    state: Mutex<ShortageState>,
}

struct ShortageState {
    last: Option<Instant>,
    /// Calls since the last line.
    unlogged: u64,
}

/// A model could not be called for want of this.
pub(crate) fn log(resource: LocalResource) {
    if let Some(unlogged) = LOG.count(Instant::now()) {
        let advice = advice(resource);
        tracing::error!(
            since_last = unlogged,
            "this machine is out of {resource}: calls are answered with overloaded, and no circuit counts it; {advice}"
        );
    }
}

impl ShortageLog {
    /// How many calls had no line of their own, if it is time for one.
    fn count(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            state.unlogged += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.unlogged))
    }
}

const fn advice(resource: LocalResource) -> &'static str {
    match resource {
        LocalResource::Descriptors => "raise its limit of open files (ulimit -n, LimitNOFILE)",
        LocalResource::Ports => "widen net.ipv4.ip_local_port_range, or add an instance",
        LocalResource::Memory => "give it more memory, or add an instance",
        LocalResource::Threads => {
            "check its name servers, and raise its limit of threads (ulimit -u, TasksMax, pids.max)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute() {
        let log = ShortageLog { state: Mutex::new(ShortageState { last: None, unlogged: 0 }) };
        let start = Instant::now();
        assert_eq!(log.count(start), Some(0));
        for second in 0..60 {
            assert_eq!(log.count(start + Duration::from_secs(second)), None);
        }
        assert_eq!(log.count(start + INTERVAL), Some(60));
    }
}
