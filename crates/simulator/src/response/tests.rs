//! Behaviours and their responses.

use super::*;
use crate::content::Content;

static TEXT_ONLY: Content = Content::new();

const ALL_DIALECTS: [Dialect; 4] = [Dialect::Chat, Dialect::Responses, Dialect::Anthropic, Dialect::Gemini];

fn test_call(dialect: Dialect, stream: bool) -> SimulatedCall<'static> {
    let response = ResponseSpec {
        number: 1,
        created: 0,
        model: "m",
        words: 3,
        content: &TEXT_ONLY,
        prompt_tokens: 4,
        include_usage: true,
        choices: 1,
        simulator: "simulator",
        store: false,
        previous_response_id: None,
    };
    let form = if stream { Form::EventStream } else { Form::Complete };
    SimulatedCall { dialect, openai_call: None, form, response }
}

fn respond_to(call: &SimulatedCall<'_>, behaviour: impl Into<Behaviour>) -> ScriptedResponse {
    match call.respond(&behaviour.into()) {
        Outcome::Response(response) => response,
        other => panic!("no response: {other:?}"),
    }
}

fn pieces(response: &ScriptedResponse) -> Vec<Bytes> {
    response.chunks.iter().map(|chunk| chunk.bytes.clone()).collect()
}

/// The delays before the chunks, in milliseconds.
fn delays_ms(response: &ScriptedResponse) -> Vec<u128> {
    response.chunks.iter().map(|chunk| chunk.delay.as_millis()).collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn delays_add_up() {
    let slow = Behaviour::ok().gap(Duration::from_millis(20)).first_token(SECOND);
    let stalling = slow.clone().with(Fault::Stall { after: 1, length: SECOND });
    let openai = test_call(Dialect::Chat, true);
    assert_eq!(delays_ms(&respond_to(&openai, slow.clone())), [0, 1_020, 20, 20, 20, 20, 20]);
    assert_eq!(delays_ms(&respond_to(&openai, stalling.clone()))[..3], [0, 2_020, 20]);
    let anthropic = test_call(Dialect::Anthropic, true);
    assert_eq!(delays_ms(&respond_to(&anthropic, slow.clone()))[..5], [0, 20, 20, 1_020, 20]);
    let responses = test_call(Dialect::Responses, true);
    assert_eq!(delays_ms(&respond_to(&responses, slow.clone()))[..6], [0, 20, 20, 20, 1_020, 20]);
    let gemini = test_call(Dialect::Gemini, true);
    assert_eq!(delays_ms(&respond_to(&gemini, slow.clone())), [1_000, 20, 20, 20]);
    let plain = test_call(Dialect::Chat, false);
    assert_eq!(delays_ms(&respond_to(&plain, slow)), [1_000]);
    assert_eq!(delays_ms(&respond_to(&plain, stalling)), [1_000, 1_000]);
}

#[test]
fn a_stall_is_before_the_last_event_at_the_latest() {
    let stall = respond_to(&test_call(Dialect::Chat, true), Fault::Stall { after: 99, length: SECOND });
    assert_eq!(delays_ms(&stall).last(), Some(&1_000));
}

#[test]
fn split_and_other_line_ends_change_no_other_byte() {
    for dialect in ALL_DIALECTS {
        let call = test_call(dialect, true);
        let whole = dialect.events(&call.response).into_events().concat();
        let split = respond_to(&call, Behaviour::ok().split());
        assert!(split.chunks.iter().all(|chunk| chunk.bytes.len() == 1));
        assert_eq!(pieces(&split).concat(), whole);
        let crlf = String::from_utf8(pieces(&respond_to(&call, Behaviour::ok().crlf())).concat()).unwrap();
        assert_eq!(crlf.matches("\r\n").count(), crlf.matches('\n').count());
        assert_eq!(crlf.replace("\r\n", "\n").as_bytes(), whole);
    }
}

#[test]
fn a_fault_beyond_the_last_event_comes_after_the_whole_stream() {
    for dialect in ALL_DIALECTS {
        let call = test_call(dialect, true);
        let all = dialect.events(&call.response).into_events();
        let cut = respond_to(&call, Fault::Cut { after: 99 });
        assert_eq!((pieces(&cut), cut.ending), (all.clone(), Ending::Cut));
        let garbage = respond_to(&call, Fault::Garbage { after: 99 });
        assert_eq!(garbage.chunks.len(), all.len() + 1);
    }
}

#[test]
fn without_its_end_marker_a_stream_is_the_same_but_for_the_last_event() {
    for dialect in ALL_DIALECTS {
        let call = test_call(dialect, true);
        let mut all = dialect.events(&call.response).into_events();
        all.pop();
        assert_eq!(pieces(&respond_to(&call, Fault::NoDone)), all);
    }
}

#[test]
fn a_truncated_plain_response_has_its_whole_content_length() {
    let call = test_call(Dialect::Chat, false);
    let whole = call.dialect.response_body(&call.response);
    let cut = respond_to(&call, Fault::Cut { after: 1 });
    assert_eq!(cut.headers[CONTENT_LENGTH], whole.len().to_string());
    assert_eq!(pieces(&cut), [whole.slice(..whole.len() / 2)]);
    let immediate = respond_to(&call, Fault::Cut { after: 0 });
    assert_eq!(immediate.headers[CONTENT_LENGTH], whole.len().to_string());
    assert_eq!(immediate.chunks, []);
}
