//! One caller's requests that fail everywhere take no model from the others, and a model that is down is found all the
//! same (B12). The tables that these are cells of: `cargo run --release -p fleet -- poison`.

use fleet::poison_tables::{OUTAGES, POISONS, TableConfig, false_trips, lost_percent, outage_cost};

const SHORT: TableConfig = TableConfig { seed: 1, seeds: 1, outage_seeds: 20, length: 0.3 };

/// Ever new requests under the key that the good calls have, too: not told from an outage. Named keys would.
const NOT_TOLD: &str = "one shared key, ever new bodies";

#[test]
fn no_good_call_is_lost_to_poison() {
    let mut lost_without_rule = 0;
    for poison in POISONS.iter().filter(|poison| !poison.0.starts_with(NOT_TOLD)) {
        let on = lost_percent(poison, true, &SHORT).unwrap();
        assert!(on.iter().all(|(lost, _)| *lost == 0.0), "{}: {on:?}", poison.0);
        let off = lost_percent(poison, false, &SHORT).unwrap();
        lost_without_rule += usize::from(off.iter().any(|(lost, _)| *lost > 30.0));
    }
    assert_eq!(lost_without_rule, POISONS.len() - 1, "each poison takes models from others without the rule");
}

/// As soon as without the rule, with few more calls to the dead model.
#[test]
fn an_outage_is_found_as_soon() {
    for outage in &OUTAGES {
        let [(calls_off, trips_off), (calls_on, trips_on)] =
            [false, true].map(|rule| outage_cost(outage, rule, &SHORT).unwrap());
        for model in 0..outage.5.models {
            let (trip_off, trip_on) = (trips_off[model], trips_on[model]);
            assert!(trip_on <= trip_off + 0.4, "{}: {trip_off} s, {trip_on} s", outage.0);
            let (off, on) = (calls_off[model], calls_on[model]);
            let limit = if outage.2 > 2.0 { off * 1.25 } else { off + 5.0 };
            assert!(on <= limit, "{}: {off} calls, {on} calls", outage.0);
        }
    }
}

#[test]
fn random_errors_trip_nothing() {
    for (instances, rate) in [(1, 1.0), (1, 100.0), (16, 100.0)] {
        assert_eq!(false_trips(instances, rate, true, &SHORT).unwrap(), 0, "{instances}, {rate}/s");
    }
}
