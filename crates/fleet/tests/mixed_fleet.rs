//! Beside Open SWE instances our own rules go on deciding (O6). The figures: `cargo run --release -p fleet -- open-swe`.

use fleet::mixed_fleet::{MixedFleet, run};

#[test]
fn a_failing_model_stays_open_beside_open_swe() {
    let share = |open_swe: usize| {
        let runs = (1..=20).map(|seed| run(&MixedFleet { open_swe, ..MixedFleet::new(seed) }).unwrap().open);
        runs.sum::<f64>() / 20.0
    };
    let (alone, beside) = (share(0), share(3));
    assert!(beside >= 0.9 * alone, "open for {alone:.2} of the time alone, {beside:.2} beside Open SWE");
}
