//! Where the calls of each route go now, by the routes and the circuits of their models.

use breaker::{InstanceId, Mode, ModelKey, State, Timestamp};
use circuits::{Circuits, Report};
use serde::Serialize;

use crate::{Catalog, Chain};

/// A route and where its calls go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteStatus {
    /// The route.
    pub name: String,
    /// Its models in order: a group of several is one of equals.
    pub models: Vec<Vec<String>>,
    /// Whether it can be called.
    pub state: RouteState,
    /// The model that the next call tries first, of equals the first that can be called; `None`: none can be called.
    pub current: Option<String>,
    /// When the first of its models may be probed, if none can be called. `None`: one can, or all wait for an operator.
    pub retry_at: Option<Timestamp>,
}

/// Whether a route can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RouteState {
    /// A model of the first group can be called.
    Healthy,
    /// Only one of a later group can.
    Fallback,
    /// None can.
    Unavailable,
}

/// Whether a model can be called by everyone. An open circuit whose probe is due cannot: one call may try it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Availability {
    Available,
    /// From this time on a probe may be made; `None`: once an operator has closed it.
    RetryAt(Option<Timestamp>),
}

/// All routes by name, as this instance sees their circuits.
#[must_use]
pub fn route_statuses(catalog: &Catalog, circuits: &Circuits) -> Vec<RouteStatus> {
    let of_model = |key: &ModelKey| {
        let report = circuits.report(key);
        availability(report.as_ref(), circuits.policy(key).mode, circuits.instance(), circuits.now())
    };
    catalog.routes().map(|(name, chain)| status(name, &groups(chain), of_model)).collect()
}

fn groups(chain: &Chain) -> Vec<Vec<&ModelKey>> {
    chain.groups().map(|group| group.iter().map(|entry| &entry.key).collect()).collect()
}

fn availability(report: Option<&Report>, mode: Mode, instance: &InstanceId, now: Timestamp) -> Availability {
    let Some(report) = report.filter(|_| mode == Mode::Enforce) else { return Availability::Available };
    match report.state {
        // Bound to one request that fails: all others are admitted. One that is bound to a caller counts as open, since where
        // all share one key, or have none, every outage is bound to that.
        _ if report.bound_to.as_ref().is_some_and(|scope| scope.tag.is_some()) => Availability::Available,
        State::Closed if report.blocked_instances.contains(instance) => {
            Availability::RetryAt(report.retry_at)
        }
        State::Closed => Availability::Available,
        State::Open if report.forced && report.retry_at.is_none() => Availability::RetryAt(None),
        State::Open | State::HalfOpen => Availability::RetryAt(Some(report.retry_at.unwrap_or(now))),
    }
}

fn status(
    name: &str,
    groups: &[Vec<&ModelKey>],
    availability: impl Fn(&ModelKey) -> Availability,
) -> RouteStatus {
    let available = |key: &&ModelKey| availability(key) == Availability::Available;
    let first = groups
        .iter()
        .enumerate()
        .find_map(|(index, group)| group.iter().copied().find(available).map(|key| (index, key)));
    let retry_at = groups.iter().flatten().filter_map(|key| match availability(key) {
        Availability::RetryAt(at) => at,
        Availability::Available => None,
    });
    RouteStatus {
        name: name.to_owned(),
        models: groups.iter().map(|group| group.iter().map(ToString::to_string).collect()).collect(),
        state: match first {
            Some((0, _)) => RouteState::Healthy,
            Some(_) => RouteState::Fallback,
            None => RouteState::Unavailable,
        },
        current: first.map(|(_, key)| key.to_string()),
        retry_at: retry_at.min().filter(|_| first.is_none()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use breaker::SourceScope;
    use circuits::Policies;

    use super::*;

    fn at(millis: u64) -> Availability {
        Availability::RetryAt(Some(Timestamp::from_millis(millis)))
    }

    #[test]
    fn the_state_of_a_route_is_that_of_its_first_callable_group() {
        use Availability::{Available, RetryAt};
        use RouteState::{Fallback, Healthy, Unavailable};
        // The models a and b are equals, c is their fallback.
        for (a, b, c, state, current, retry_at) in [
            (Available, Available, Available, Healthy, Some("p:a"), None),
            (at(5), Available, Available, Healthy, Some("p:b"), None),
            (at(5), at(4), Available, Fallback, Some("p:c"), None),
            (RetryAt(None), at(4), Available, Fallback, Some("p:c"), None),
            (Available, at(4), at(3), Healthy, Some("p:a"), None),
            (at(5), at(4), at(6), Unavailable, None, Some(4)),
            (RetryAt(None), RetryAt(None), at(6), Unavailable, None, Some(6)),
            (RetryAt(None), RetryAt(None), RetryAt(None), Unavailable, None, None),
        ] {
            let keys: [ModelKey; 3] = ["p:a", "p:b", "p:c"].map(|key| key.parse().unwrap());
            let groups = [vec![&keys[0], &keys[1]], vec![&keys[2]]];
            let found = status("r", &groups, |key| match key.model() {
                "a" => a,
                "b" => b,
                _ => c,
            });
            let case = format!("{a:?} {b:?} {c:?}");
            assert_eq!((found.state, found.current.as_deref()), (state, current), "{case}");
            assert_eq!(found.retry_at.map(Timestamp::as_millis), retry_at, "{case}");
            assert_eq!(found.models, [vec!["p:a", "p:b"], vec!["p:c"]]);
        }
    }

    #[tokio::test]
    async fn a_circuit_that_is_not_closed_makes_its_model_unavailable() {
        let circuits = Circuits::in_memory(Policies::default());
        let key: ModelKey = "p:a".parse().unwrap();
        let now =
            |mode| availability(circuits.report(&key).as_ref(), mode, circuits.instance(), circuits.now());
        assert_eq!(now(Mode::Enforce), Availability::Available, "without a circuit");
        circuits.open(&key, None, None, None).await.unwrap();
        assert_eq!(now(Mode::Enforce), Availability::RetryAt(None));
        assert_eq!(now(Mode::Observe), Availability::Available);
        circuits.open(&key, Some(Duration::from_secs(60)), None, None).await.unwrap();
        assert!(matches!(now(Mode::Enforce), Availability::RetryAt(Some(at)) if at > circuits.now()));
        let report = circuits.report(&key).unwrap();
        for (tag, available) in [(None, false), (Some(7), true)] {
            let bound_to = Some(SourceScope { caller: None, tag });
            let report = Report { bound_to, ..report.clone() };
            let found = availability(Some(&report), Mode::Enforce, circuits.instance(), circuits.now());
            assert_eq!(found == Availability::Available, available, "{tag:?}");
        }
        circuits.close(&key, None, None).await.unwrap();
        assert_eq!(now(Mode::Enforce), Availability::Available);
    }
}
