//! People who look at the circuits all the while.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::program::{ProgramOutput, TempDir};

/// Between two looks.
const LIST_INTERVAL: Duration = Duration::from_millis(300);

/// `circuits` waits for Redis 3 s to connect and 2 s for an answer; more is the machine's, which may have 10,000
/// circuits to list.
const MAX_LIST_DURATION: Duration = Duration::from_secs(30);

/// `switchboard circuits list`, again and again until this is dropped.
#[derive(Debug)]
pub(crate) struct CliClients {
    runs: Arc<Mutex<Vec<CliRun>>>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct CliRun {
    code: Option<i32>,
    stderr: String,
    took: Duration,
}

impl CliClients {
    pub(crate) fn start(variables: Vec<(&'static str, String)>) -> Self {
        let looks = Arc::default();
        let mut looking = JoinSet::new();
        looking.spawn(list_in_loop(variables, Arc::clone(&looks)));
        Self { runs: looks, _tasks: looking }
    }

    /// Each look ended soon, with the circuits or with what to do.
    pub(crate) fn assert_served(&self) {
        let looks = self.runs.lock().unwrap();
        for look in looks.iter() {
            let said = match look.code {
                Some(0) => true,
                Some(1) => look.stderr.contains("switchboard doctor"),
                _ => false,
            };
            assert!(said && look.took < MAX_LIST_DURATION, "{look:?}");
        }
        assert!(looks.iter().any(|look| look.code == Some(0)), "{looks:?}");
    }
}

async fn list_in_loop(variables: Vec<(&'static str, String)>, looks: Arc<Mutex<Vec<CliRun>>>) {
    let directory = TempDir::new();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    loop {
        let asked = Instant::now();
        let ProgramOutput { code, stderr, .. } = directory.run(&["circuits", "list"], &variables).await;
        looks.lock().unwrap().push(CliRun { code, stderr, took: asked.elapsed() });
        sleep(LIST_INTERVAL).await;
    }
}
