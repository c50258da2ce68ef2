//! Own format in and out, and to another and back: the same, over what the formats can say.

use dialects::Dialect;
use proptest::prelude::proptest;

use super::answer_losses::{self, AnswerFacts, coalesced, events, without_opaque};
use super::answers::any_answer;
use super::formats::{ALL, read_answer, through, write_answer};
use super::request_losses::{as_said_in, canonical, without_refused};
use super::requests::request;
use super::{cases, same};

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn a_request_is_written_and_read_again(request in request()) {
        for format in ALL {
            let mut request = request.clone();
            without_refused(format, &mut request);
            let expected = as_said_in(format, request.clone());
            let read = canonical(through(format, &request));
            same(&read, &expected, &[format])?;
        }
    }

    #[test]
    fn a_request_goes_to_another_format_and_back(request in request()) {
        for there in ALL {
            for back in ALL.into_iter().filter(|back| *back != there) {
                let mut request = request.clone();
                without_refused(there, &mut request);
                without_refused(back, &mut request);
                let first = through(back, &request);
                let expected = as_said_in(back, as_said_in(there, as_said_in(back, request)));
                let read = canonical(through(back, &through(there, &first)));
                same(&read, &expected, &[there, back])?;
            }
        }
    }

    #[test]
    fn an_answer_is_written_and_read_again(events in any_answer()) {
        let said = without_opaque(coalesced(events));
        for format in ALL {
            let mut said = said.clone();
            answer_losses::without_refused(format, &mut said);
            let expected = answer_losses::as_said_in(format, said.clone());
            same(&answer_through(format, &said), &expected, &[format])?;
        }
    }

    #[test]
    fn an_answer_goes_to_another_format_and_back(events in any_answer()) {
        let said = without_opaque(coalesced(events));
        for there in ALL {
            for back in ALL.into_iter().filter(|back| *back != there) {
                let mut said = said.clone();
                answer_losses::without_refused(there, &mut said);
                answer_losses::without_refused(back, &mut said);
                let first = answer_through(back, &said);
                let as_said = answer_losses::as_said_in;
                let expected = as_said(back, as_said(there, as_said(back, said)));
                let read = answer_through(back, &answer_through(there, &first));
                same(&read, &expected, &[there, back])?;
            }
        }
    }
}

fn answer_through(format: Dialect, said: &AnswerFacts) -> AnswerFacts {
    without_opaque(coalesced(read_answer(format, &write_answer(format, &events(said)))))
}
