//! Calls that continue whatever happens to Redis, and how long their admission took.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use breaker::ModelKey;
use circuits::Circuits;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

/// No call waits longer for its admission (F3).
const MAX_ADMISSION_WAIT: Duration = Duration::from_millis(100);

/// Successful calls of several models through several instances.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    callers: Vec<JoinHandle<usize>>,
    times: Arc<Mutex<LongestWaits>>,
}

#[derive(Debug, Default)]
struct LongestWaits {
    /// The longest that a call waited.
    admission: Duration,
    /// The longest that this machine delayed a task: that much of the above is not the circuits' fault.
    scheduling_delay: Duration,
}

impl Load {
    pub(crate) fn start(instances: &[Circuits], keys: &[ModelKey]) -> Self {
        let (stop, times) = (Arc::<AtomicBool>::default(), Arc::<Mutex<LongestWaits>>::default());
        let mut callers = Vec::new();
        for (instance, key) in instances.iter().flat_map(|one| keys.iter().map(move |key| (one, key))) {
            let caller = call_in_loop(instance.clone(), key.clone(), Arc::clone(&stop), Arc::clone(&times));
            callers.push(tokio::spawn(caller));
        }
        Self { stop, callers, times }
    }

    /// Ends it. Every call was admitted without waiting.
    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        let mut calls = 0;
        for caller in self.callers {
            calls += caller.await.unwrap();
        }
        let times = self.times.lock().unwrap();
        println!("{calls} successful calls, the longest admission took {:?}", times.admission);
        assert!(times.admission < MAX_ADMISSION_WAIT + times.scheduling_delay, "{times:?}");
        assert!(calls > 100, "{calls} calls are too few");
    }
}

async fn call_in_loop(
    circuits: Circuits,
    key: ModelKey,
    stop: Arc<AtomicBool>,
    times: Arc<Mutex<LongestWaits>>,
) -> usize {
    const CALL_INTERVAL: Duration = Duration::from_millis(2);
    let mut calls = 0;
    while !stop.load(Ordering::SeqCst) {
        let began = Instant::now();
        let permit = circuits.admit(&key).await.unwrap_or_else(|refusal| panic!("{key}: {refusal:?}"));
        let admission = began.elapsed();
        permit.succeeded();
        calls += 1;
        let began = Instant::now();
        sleep(CALL_INTERVAL).await;
        let mut times = times.lock().unwrap();
        times.admission = times.admission.max(admission);
        times.scheduling_delay = times.scheduling_delay.max(began.elapsed().saturating_sub(CALL_INTERVAL));
    }
    calls
}
