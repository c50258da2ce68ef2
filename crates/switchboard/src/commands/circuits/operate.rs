//! Operating: a person's hand on a circuit.

use std::{sync::Arc, time::Duration};

use breaker::{InstanceId, ModelKey};
use circuits::{Circuits, Settings};

use super::{Seen, words};
use crate::output::Output;

pub(super) async fn open(
    output: Output,
    circuits: Seen,
    key: &ModelKey,
    length: Option<Duration>,
    why: Option<String>,
) -> anyhow::Result<()> {
    take_part(&circuits).await.open(key, length, why).await?;
    told(output, &circuits, key).await
}

pub(super) async fn close(output: Output, circuits: Seen, key: &ModelKey) -> anyhow::Result<()> {
    take_part(&circuits).await.close(key, None).await?;
    told(output, &circuits, key).await
}

pub(super) async fn reset(output: Output, circuits: Seen, key: &ModelKey) -> anyhow::Result<()> {
    take_part(&circuits).await.reset(key, None).await?;
    Ok(output.line(format_args!("{key}: all is forgotten; it appears again with the model's next call."))?)
}

/// Becomes an instance for a moment, under the name of the person and the machine.
async fn take_part(circuits: &Seen) -> Circuits {
    let user = std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
    let settings = Settings {
        policies: circuits.policies.clone(),
        ..Settings::new(InstanceId::new(&format!("cli-{user}")))
    };
    let part = Circuits::start(Arc::clone(&circuits.store) as Arc<dyn circuits::Store>, settings);
    part.ready().await;
    part
}

async fn told(output: Output, circuits: &Seen, key: &ModelKey) -> anyhow::Result<()> {
    let (report, now) = circuits.one(key).await?;
    let sentence = words::sentence(&report, now);
    Ok(output.line(format_args!("{key}: {}", output.paint(words::style(report.state), sentence)))?)
}
