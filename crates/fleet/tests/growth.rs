//! What a fleet costs grows no faster than the fleet.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail tests")]

use std::time::Duration;

use fleet::growth::{Measured, MeasurementConfig, Phase, measure};

fn fleet_of(instances: usize) -> Measured {
    let size = MeasurementConfig { seed: 7, instances, models: 2, call_interval: Duration::from_millis(500) };
    measure(&size, |_| {}).unwrap()
}

fn per_instance(measured: &Measured, number: u64) -> f64 {
    number as f64 / measured.config.instances as f64
}

#[test]
fn costs_grow_no_faster_than_the_fleet() {
    let (small, large) = (fleet_of(10), fleet_of(100));
    for measured in [&small, &large] {
        let instances = measured.config.instances;
        assert!(measured.violations.is_empty(), "{:?}", measured.violations);
        assert_eq!(measured.max_concurrent_probes, 1, "{instances} instances");
        assert!(measured.converged_by(100) <= Duration::from_millis(100), "{:?}", measured.refusal_delays);

        let outage = per_instance(measured, measured.outage_commands());
        assert!(outage <= 60.0, "an outage costs each of {instances} instances {outage} commands");
        let (length, costs) = measured.phases[&Phase::Flaky];
        let flaky = per_instance(measured, costs.commands()) / length.as_secs_f64();
        assert!(flaky <= 6.0, "a flaky model costs each of {instances} instances {flaky} commands a second");
        let (length, costs) = measured.phases[&Phase::Baseline];
        let calm = per_instance(measured, costs.commands()) / length.as_secs_f64();
        assert!(calm <= 0.2, "no failures cost each of {instances} instances {calm} commands a second");
    }
    let ratio = large.outage_commands() as f64 / small.outage_commands() as f64;
    assert!(ratio <= 20.0, "ten times the instances cost {ratio} times the commands");
}
