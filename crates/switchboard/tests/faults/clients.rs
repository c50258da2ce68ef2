//! People who look at the circuits all the while.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::program::{Directory, Ended};

/// Between two looks.
const PACE: Duration = Duration::from_millis(300);

/// `circuits` waits for Redis 3 s to connect and 2 s for an answer; more is the machine's, which may have 10,000
/// circuits to list.
const LONGEST: Duration = Duration::from_secs(30);

/// `switchboard circuits list`, again and again until this is dropped.
#[derive(Debug)]
pub(crate) struct Clients {
    looks: Arc<Mutex<Vec<Look>>>,
    _looking: JoinSet<()>,
}

#[derive(Debug)]
struct Look {
    code: Option<i32>,
    stderr: String,
    took: Duration,
}

impl Clients {
    pub(crate) fn start(variables: Vec<(&'static str, String)>) -> Self {
        let looks = Arc::default();
        let mut looking = JoinSet::new();
        looking.spawn(keep_looking(variables, Arc::clone(&looks)));
        Self { looks, _looking: looking }
    }

    /// Each look ended soon, with the circuits or with what to do.
    pub(crate) fn were_served(&self) {
        let looks = self.looks.lock().unwrap();
        for look in looks.iter() {
            let said = match look.code {
                Some(0) => true,
                Some(1) => look.stderr.contains("switchboard doctor"),
                _ => false,
            };
            assert!(said && look.took < LONGEST, "{look:?}");
        }
        assert!(looks.iter().any(|look| look.code == Some(0)), "{looks:?}");
    }
}

async fn keep_looking(variables: Vec<(&'static str, String)>, looks: Arc<Mutex<Vec<Look>>>) {
    let directory = Directory::new();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    loop {
        let asked = Instant::now();
        let Ended { code, stderr, .. } = directory.run(&["circuits", "list"], &variables).await;
        looks.lock().unwrap().push(Look { code, stderr, took: asked.elapsed() });
        sleep(PACE).await;
    }
}
