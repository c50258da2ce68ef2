//! A stream says what the plain answer says, however its bytes arrive.

use dialects::Dialect::OpenAiChat;
use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use proptest::sample::Index;

use super::answer_losses::{coalesced, events, in_order_of_chat, without_refused};
use super::answers::any_answer;
use super::formats::{TARGETS, context, read_answer, read_stream, write_answer, write_stream};
use super::{cases, same};

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn a_stream_folded_up_is_the_plain_answer(answer in any_answer()) {
        for format in TARGETS {
            let mut said = coalesced(answer.clone());
            without_refused(format, &mut said);
            let mut in_pieces = answer.clone();
            if format == OpenAiChat {
                // A plain message has no order among its parts, so only answers that are in its own can be the same.
                said.blocks = in_order_of_chat(&said.blocks);
                in_pieces = events(&said);
            } else if said.blocks.iter().all(|block| block.citations.is_empty()) {
                in_pieces.retain(|event| !matches!(event, crate::form::Event::Citation(_)));
            }
            let streamed = read_stream(format, [write_stream(format, &in_pieces, context(format)).as_slice()]);
            let plain = read_answer(format, &write_answer(format, &events(&said)));
            same(&coalesced(streamed), &coalesced(plain), &[format])?;
        }
    }

    #[test]
    fn cuts_between_bytes_make_no_difference(answer in any_answer(), cuts in vec(any::<Index>(), 0..40)) {
        for format in TARGETS {
            let bytes = write_stream(format, &answer, context(format));
            let mut borders: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            borders.extend([0, bytes.len()]);
            borders.sort_unstable();
            let pieces = borders.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            same(&read_stream(format, pieces), &read_stream(format, [bytes.as_slice()]), &[format])?;
        }
    }
}
