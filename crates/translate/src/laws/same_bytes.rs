//! A translation depends on the request and the target alone (T4): prompt caches and signatures live on that.

use dialects::Dialect;
use proptest::collection::vec;
use proptest::prelude::{prop_assert_eq, proptest};
use proptest::sample::select;

use super::answers::any_answer;
use super::bodies::spaced;
use super::cases;
use super::formats::{ALL, TARGETS, context, read, target, write, write_answer, write_stream};
use super::request_losses::without_refused;
use super::requests::request;
use crate::bridge::write_request;
use crate::form::Request;
use crate::target::CannotCarry;

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn the_same_request_gives_the_same_bytes(
        request in request(),
        blanks in vec(select(&["", " ", "\n", "\t", "\r\n  "][..]), 1..9),
    ) {
        for caller in ALL {
            let mut request = request.clone();
            without_refused(caller, &mut request);
            let body = write(caller, &request);
            let (plain, spaced) = (read(caller, &body), read(caller, &spaced(&body, &blanks)));
            for format in TARGETS {
                let first = written(format, &plain);
                prop_assert_eq!(&written(format, &plain.clone()), &first, "{:?}", format);
                prop_assert_eq!(&written(format, &spaced), &first, "{:?} to {:?}", caller, format);
            }
        }
    }

    #[test]
    fn the_same_answer_gives_the_same_bytes(events in any_answer()) {
        for format in ALL {
            prop_assert_eq!(write_answer(format, &events), write_answer(format, &events.clone()));
            let stream = || write_stream(format, &events, context(format));
            prop_assert_eq!(stream(), stream());
        }
    }
}

/// The body, and what was left out; or why it was refused.
fn written(format: Dialect, request: &Request) -> Result<(String, Vec<String>), Vec<CannotCarry>> {
    write_request(request, &target(format)).map(|written| (written.body, written.dropped))
}
