//! Taking up a changed configuration without a restart; a wrong one is refused and the old one kept (DESIGN 1.3).
//!
//! The file is read every second and compared, which notices every way in which it may change (an editor's rename, a
//! mounted secret's new link) and costs next to nothing.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::config::{Config, Problems, Sources};

/// How often it is looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Reads the sources every second, and hands each changed configuration to `apply` once it has stood unchanged for
/// two readings, so that a half written file is never taken up. Ends only by being dropped.
pub async fn watch(
    current: Sources,
    mut read: impl FnMut() -> Result<Sources, Problems>,
    mut apply: impl FnMut(Config) -> anyhow::Result<()>,
) {
    let mut active = Ok(current);
    let mut previous = active.clone();
    let mut ticks = interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = read();
        if now == previous && now != active {
            apply_sources(&now, &mut apply);
            active = now.clone();
        }
        previous = now;
    }
}

fn apply_sources(sources: &Result<Sources, Problems>, apply: &mut impl FnMut(Config) -> anyhow::Result<()>) {
    match sources.clone().and_then(|sources| Config::load(&sources)) {
        Ok(config) => match apply(config) {
            Ok(()) => tracing::info!("changed configuration taken up"),
            Err(error) => {
                tracing::error!("changed configuration refused, the old one stays in force: {error}");
            }
        },
        Err(problems) => {
            for problem in problems.iter() {
                tracing::error!("changed configuration refused, the old one stays in force: {problem}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;
    use crate::config::SourceFile;

    fn sources(text: &str) -> Sources {
        let file = Some(SourceFile { path: "s.toml".into(), text: text.to_owned() });
        Sources { file, ..Sources::default() }
    }

    /// The ports that were listened on, if the file has one of these texts in each second.
    async fn applied_ports(texts: &[&str]) -> Vec<u16> {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let mut readings = texts.iter();
        let mut last = "";
        let read = || {
            last = readings.next().copied().unwrap_or(last);
            Ok(sources(last))
        };
        let applied = Rc::clone(&seen);
        let watching = watch(sources(""), read, |config| {
            applied.borrow_mut().push(config.server.listen.port());
            Ok(())
        });
        let long_enough = POLL_INTERVAL * u32::try_from(texts.len() + 3).unwrap();
        assert!(tokio::time::timeout(long_enough, watching).await.is_err());
        seen.take()
    }

    const ONE: &str = "server.listen = '127.0.0.1:1'";
    const TWO: &str = "server.listen = '127.0.0.1:2'";

    #[tokio::test(start_paused = true)]
    async fn a_change_is_taken_up_once() {
        assert_eq!(applied_ports(&["", ONE, ONE, ONE, TWO, TWO, TWO]).await, [1, 2]);
        assert!(applied_ports(&["", "", ""]).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_stands_for_a_moment_only_is_not() {
        assert_eq!(applied_ports(&["", ONE, "", TWO, TWO]).await, [2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_one_is_refused() {
        assert_eq!(applied_ports(&[ONE, ONE, "wrong", "wrong", "wrong", TWO]).await, [1, 2]);
    }
}
