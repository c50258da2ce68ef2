//! Reloading a changed configuration without a restart; an invalid one is rejected and the current one kept.
//!
//! The file is read and compared every second. That detects every kind of change (an editor's rename, the new symlink
//! of a mounted secret) and costs almost nothing. SIGHUP has it read at once.

use std::{fmt::Display, pin::pin, time::Duration};

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use tokio::time::{MissedTickBehavior, interval};

use crate::config::{Config, Problems, Sources};

/// How often the sources are read.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Reads the sources every second, and passes a changed configuration to `apply` once two consecutive reads agree, so that
/// a half written file is never applied. An item of `requests` applies what is there at once. `apply` returns what it has
/// changed, for the log. Runs until it is dropped.
pub async fn watch<Changes: Display>(
    current: Sources,
    requests: impl Stream<Item = ()>,
    mut read: impl FnMut() -> Result<Sources, Problems>,
    mut apply: impl FnMut(Config) -> anyhow::Result<Changes>,
) {
    let mut requests = pin!(requests.chain(std::future::pending().into_stream()));
    let mut active = Ok(current);
    let mut previous = active.clone();
    let mut ticks = interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let requested = tokio::select! {
            request = requests.next() => request.is_some(),
            _ = ticks.tick() => false,
        };
        let now = read();
        if requested || (now == previous && now != active) {
            apply_sources(&now, &mut apply);
            active = now.clone();
        }
        previous = now;
    }
}

fn apply_sources<Changes: Display>(
    sources: &Result<Sources, Problems>,
    apply: &mut impl FnMut(Config) -> anyhow::Result<Changes>,
) {
    match sources.clone().and_then(|sources| Config::load(&sources)) {
        Ok(config) => {
            for warning in &config.warnings {
                tracing::warn!("{warning}");
            }
            match apply(config) {
                Ok(changes) => tracing::info!("configuration reloaded: {changes}"),
                Err(error) => {
                    tracing::error!("configuration reload failed; keeping the current one: {error}");
                }
            }
        }
        Err(problems) => {
            for problem in problems.iter() {
                tracing::error!("configuration reload failed; keeping the current one: {problem}");
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

    /// The ports of the applied configurations, if the file has these texts, one per second.
    async fn applied_ports(texts: &[&str]) -> Vec<u16> {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let mut reads = texts.iter();
        let mut last = "";
        let read = || {
            last = reads.next().copied().unwrap_or(last);
            Ok(sources(last))
        };
        let applied = Rc::clone(&seen);
        let watching = watch(sources(""), futures_util::stream::empty(), read, |config| {
            applied.borrow_mut().push(config.server.listen.port());
            Ok("")
        });
        let long_enough = POLL_INTERVAL * u32::try_from(texts.len() + 3).unwrap();
        assert!(tokio::time::timeout(long_enough, watching).await.is_err());
        seen.take()
    }

    const ONE: &str = "server.listen = '127.0.0.1:1'";
    const TWO: &str = "server.listen = '127.0.0.1:2'";

    #[tokio::test(start_paused = true)]
    async fn a_change_is_applied_once() {
        assert_eq!(applied_ports(&["", ONE, ONE, ONE, TWO, TWO, TWO]).await, [1, 2]);
        assert!(applied_ports(&["", "", ""]).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_momentary_change_is_not_applied() {
        assert_eq!(applied_ports(&["", ONE, "", TWO, TWO]).await, [2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_applies_it_at_once_even_if_it_is_the_same() {
        let applied = RefCell::new(Vec::new());
        let (sender, requests) = tokio::sync::mpsc::unbounded_channel();
        let requests = futures_util::stream::unfold(requests, async |mut requests| {
            Some((requests.recv().await?, requests))
        });
        let watching = watch(
            sources(ONE),
            requests,
            || Ok(sources(ONE)),
            |config| {
                applied.borrow_mut().push(config.server.listen.port());
                Ok("")
            },
        );
        let asking = async {
            tokio::time::sleep(POLL_INTERVAL / 10).await;
            sender.send(()).unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert_eq!(*applied.borrow(), [1]);
            tokio::time::sleep(POLL_INTERVAL * 3).await;
            assert_eq!(*applied.borrow(), [1], "once");
        };
        tokio::select! {
            () = watching => {}
            () = asking => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_invalid_configuration_is_rejected() {
        assert_eq!(applied_ports(&[ONE, ONE, "wrong", "wrong", "wrong", TWO]).await, [1, 2]);
    }
}
