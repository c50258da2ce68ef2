//! What the manual shows of Redis is what the breaker would write, to the byte but for the blanks.

use breaker::{Document, Policy, State, encode};
use serde_json::Value;

use crate::pages::{blocks, read};

#[test]
fn the_manual_shows_real_values() {
    let mut states = Vec::new();
    for block in blocks(&read("docs/redis.md")).into_iter().filter(|block| block.language == "json") {
        let text = block.text;
        let Document::Native(record, extras) = Document::parse(text.as_bytes(), &Policy::default()) else {
            panic!("not a circuit of Switchboard: {text}")
        };
        let shown: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(String::from_utf8(encode(&record, &extras)).unwrap(), shown.to_string());
        states.push((record.stored_state(), record.is_forced()));
    }
    let (closed, open, half_open) = (State::Closed, State::Open, State::HalfOpen);
    assert_eq!(states, [(closed, false), (open, false), (half_open, false), (open, true), (open, false)]);
}
