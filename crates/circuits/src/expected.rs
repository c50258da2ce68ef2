//! What a circuit will be once the store has taken what is queued and being written. By it an instance refuses at once
//! what it has seen fail, however long the store takes (F3). It admits nobody; nothing of it is written or announced.

use breaker::{Context, Record};

use crate::{mirror::Mirror, pending_successes::PendingSuccesses, plan::Request, plan::plan};

/// The mirror as if the store were unreachable and each request had been applied locally.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// `None`: nothing is queued or being written.
    mirror: Option<Mirror>,
    /// The unwritten successes that it includes.
    successes: PendingSuccesses,
}

impl Expected {
    /// From the beginning: the mirror and all of these.
    pub(crate) fn new(
        mirror: &Mirror,
        requests: &[Request],
        successes: &PendingSuccesses,
        context: Context<'_>,
    ) -> Self {
        let mut expected = Self::default();
        if !requests.is_empty() {
            expected.add(mirror, requests, successes, context);
        }
        expected
    }

    /// Adds requests, behind the successes that have become pending since.
    pub(crate) fn add(
        &mut self,
        mirror: &Mirror,
        requests: &[Request],
        successes: &PendingSuccesses,
        context: Context<'_>,
    ) {
        if !mirror.is_loaded() {
            return;
        }
        let expected = self.mirror.get_or_insert_with(|| mirror.clone());
        let mut all = successes.requests_since(&self.successes);
        all.extend_from_slice(requests);
        let plan = plan(expected, &all, context, false);
        expected.apply_locally(&plan.target);
        self.successes.clone_from(successes);
    }

    /// The expected record, if it admits and refuses others than the present one.
    pub(crate) fn restriction(&self, mirror: &Mirror) -> Option<&Record> {
        let record = &self.mirror.as_ref()?.record;
        (!record.admits_like(&mirror.record)).then_some(record)
    }
}
