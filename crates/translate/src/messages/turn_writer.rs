//! Writes the conversation: which blocks stand in which turn.

use super::FORMAT;
use super::block_writer::{self, Block};
use crate::abilities::Abilities;
use crate::form::{Message, Part, PartKind, Request, Role};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::target::{Losses, Target};
use crate::tool_rules::check_results;

/// The system prompt and the turns.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) system: Vec<Block>,
    pub(super) messages: Vec<WireMessage>,
}

/// One turn. Neighbours of one role are joined, as Anthropic itself does.
#[derive(Debug)]
pub(super) struct WireMessage {
    role: Role,
    /// Stand before everything else.
    results: Vec<Block>,
    /// The calls that they answer.
    answered: Vec<String>,
    blocks: Vec<Block>,
    calls: Vec<String>,
    /// It begins with the model's own thinking.
    begins_with_thinking: bool,
}

impl WireMessage {
    const fn new(role: Role) -> Self {
        Self {
            role,
            results: Vec::new(),
            answered: Vec::new(),
            blocks: Vec::new(),
            calls: Vec::new(),
            begins_with_thinking: false,
        }
    }

    pub(super) fn blocks_mut(&mut self) -> impl Iterator<Item = &mut Block> {
        self.results.iter_mut().chain(&mut self.blocks)
    }
}

impl Conversation {
    /// The request begins the answer.
    pub(super) fn is_prefilled(&self) -> bool {
        self.messages.last().is_some_and(|last| last.role == Role::Assistant)
    }

    /// The last answer called tools without thinking first: another model's. With a budget for thinking it is refused.
    pub(super) fn continues_calls_without_thinking(&self) -> bool {
        let mut last = self.messages.iter().rev().skip_while(|message| message.role == Role::System);
        let results = last.next().is_some_and(|message| !message.results.is_empty());
        results && last.next().is_some_and(|message| !message.begins_with_thinking)
    }
}

pub(super) fn array(messages: Vec<WireMessage>) -> ArrayWriter {
    let write = |message: WireMessage| {
        let role = match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let blocks = message.results.into_iter().chain(message.blocks);
        ObjectWriter::new().str("role", role).array("content", block_writer::array(blocks))
    };
    messages.into_iter().map(write).collect()
}

pub(super) fn write(request: &Request, target: &Target<'_>, losses: &mut Losses) -> Conversation {
    let mut writer = Writer { target, abilities: target.abilities(), losses, messages: Vec::new() };
    let system = request.system.iter().filter_map(|part| writer.text(part)).collect();
    for (index, turn) in request.turns.iter().enumerate() {
        let next = request.turns[index + 1..].iter().map(|turn| turn.role).find(|role| *role != Role::System);
        writer.push_turn(turn, next);
    }
    let mut conversation = Conversation { system, messages: writer.messages };
    if request.turns.is_empty() && !conversation.system.is_empty() {
        // Somebody must speak: who gives instructions alone wants them answered.
        let message =
            WireMessage { blocks: std::mem::take(&mut conversation.system), ..WireMessage::new(Role::User) };
        conversation.messages.push(message);
    }
    check(request, target, &conversation.messages, losses);
    conversation
}

struct Writer<'a> {
    target: &'a Target<'a>,
    abilities: Abilities,
    losses: &'a mut Losses,
    messages: Vec<WireMessage>,
}

impl Writer<'_> {
    /// `next`: whose turn comes after it and after all system text that follows.
    fn push_turn(&mut self, turn: &Message, next: Option<Role>) {
        match turn.role {
            Role::User => turn.parts.iter().for_each(|part| self.user_part(part)),
            Role::Assistant => turn.parts.iter().for_each(|part| self.assistant_part(part)),
            Role::System => self.system_turn(&turn.parts, next),
        }
    }

    fn user_part(&mut self, part: &Part) {
        if let PartKind::ToolResult(result) = &part.kind {
            let mut block = block_writer::result(result, self.abilities, self.losses);
            block.cache = part.cache.or(block.cache);
            let message = self.message(Role::User);
            message.results.push(block);
            message.answered.push(result.id.clone());
        } else if let Some(block) = block_writer::user_block(part, self.abilities, self.losses) {
            self.message(Role::User).blocks.push(block);
        }
    }

    fn assistant_part(&mut self, part: &Part) {
        let mut is_thinking = false;
        let json = match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) if text.is_empty() => return,
            PartKind::Text(text) | PartKind::Refusal(text) => ObjectWriter::of_type("text").str("text", text),
            PartKind::Reasoning { text, opaque } => {
                let own = opaque.as_ref().filter(|opaque| self.target.owns(opaque));
                let Some(json) = own.and_then(|opaque| block_writer::reasoning(text, opaque)) else { return };
                is_thinking = true;
                json
            }
            PartKind::ToolCall(call) => block_writer::call(call),
            // What a hosted tool did is over; the answer that came of it stays.
            PartKind::Foreign(name) => return self.losses.drop(name),
            PartKind::Media(_) => {
                let reason =
                    format!("holds an image or file in an answer, which has no counterpart in {FORMAT}");
                return self.losses.refuse("messages", reason);
            }
            PartKind::ToolResult(_) => return self.user_part(part),
        };
        let message = self.message(Role::Assistant);
        message.begins_with_thinking |= is_thinking && message.blocks.is_empty();
        if let PartKind::ToolCall(call) = &part.kind {
            message.calls.push(call.id.clone());
        }
        message.blocks.push(Block::new(json, part.cache.filter(|_| !is_thinking)));
    }

    /// Where the model takes it, system text follows a user's turn and precedes an answer. Everywhere else it is written
    /// in the user's name at the same place: moved to the front, it would change what caches and thinking depend on.
    fn system_turn(&mut self, parts: &[Part], next: Option<Role>) {
        let last = self.messages.last().map(|message| message.role);
        let is_taken = self.abilities.system_turns
            && matches!(last, Some(Role::User | Role::System))
            && next != Some(Role::User);
        for part in parts {
            let Some(mut block) = self.text(part) else { continue };
            if is_taken {
                self.message(Role::System).blocks.push(block);
            } else if let PartKind::Text(text) = &part.kind {
                block = block_writer::text(&format!("<system-reminder>\n{text}\n</system-reminder>"));
                block.cache = part.cache;
                self.message(Role::User).blocks.push(block);
            }
        }
    }

    /// System text; anything else in its place is left out and named.
    fn text(&mut self, part: &Part) -> Option<Block> {
        match &part.kind {
            // Anthropic refuses a blank system prompt.
            PartKind::Text(text) if text.trim().is_empty() => None,
            PartKind::Text(text) => {
                let mut block = block_writer::text(text);
                block.cache = part.cache;
                Some(block)
            }
            PartKind::Foreign(name) => {
                self.losses.drop(name);
                None
            }
            _ => {
                self.losses.refuse("system", format!("holds more than text, which {FORMAT} does not take"));
                None
            }
        }
    }

    /// The turn in work, if it is of that role, or else a new one.
    fn message(&mut self, role: Role) -> &mut WireMessage {
        let is_new = self.messages.last().is_none_or(|last| last.role != role);
        if is_new {
            self.messages.push(WireMessage::new(role));
        }
        let last = self.messages.len() - 1;
        &mut self.messages[last]
    }
}

/// Calls and results belong together, and the conversation ends so that the model can go on.
fn check(request: &Request, target: &Target<'_>, messages: &[WireMessage], losses: &mut Losses) {
    check_results(messages.iter().map(|message| (&*message.answered, &*message.calls)), losses);
    let last_asked = request.turns.iter().rev().find(|turn| turn.role != Role::System).map(|turn| turn.role);
    match messages.last().map(|last| last.role) {
        None => losses.refuse("messages", "has nothing in it"),
        Some(Role::Assistant) if last_asked == Some(Role::User) => {
            losses.refuse("messages", format!("ends in an empty turn, which {FORMAT} does not take"));
        }
        Some(Role::Assistant) if !target.abilities().prefill => {
            losses.refuse("messages", "ends in an answer, which the model does not go on with");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use dialects::Dialect;

    use super::{array, write};
    use crate::envelope;
    use crate::form::{Opaque, OpaqueKind, Owner, Request};
    use crate::json::Object;
    use crate::messages::read_request;
    use crate::target::{Losses, Target};

    /// The messages, or what is refused.
    fn messages(json: &str, model: &str) -> Result<String, String> {
        let body = format!(r#"{{"messages":{json}}}"#);
        let request: Request = read_request(&Object::parse(body.as_bytes()).unwrap()).unwrap();
        let target =
            Target { dialect: Dialect::Anthropic, provider: "p", model, is_official: true, refuses: &[] };
        let mut losses = Losses::default();
        let written = array(write(&request, &target, &mut losses).messages).finish();
        let refused = losses.finish(String::new(), crate::names::ToolNames::default()).err();
        refused.map_or(Ok(written), |refused| Err(refused[0].reason.clone()))
    }

    fn text(role: &str, texts: &[&str]) -> String {
        let blocks: Vec<String> =
            texts.iter().map(|text| format!(r#"{{"type":"text","text":"{text}"}}"#)).collect();
        format!(r#"{{"role":"{role}","content":[{}]}}"#, blocks.join(","))
    }

    #[test]
    fn system_text_in_the_middle_stays_where_it_is() {
        let [user, system, answer] =
            [text("user", &["a"]), text("system", &["s"]), text("assistant", &["b"])];
        let reminder = r"<system-reminder>\ns\n</system-reminder>";
        for (json, model, expected) in [
            (format!("[{user},{system}]"), "claude-opus-4-8", format!("[{user},{system}]")),
            (
                format!("[{user},{system}]"),
                "claude-opus-4-7",
                format!("[{}]", text("user", &["a", reminder])),
            ),
            (
                format!("[{user},{system},{user}]"),
                "claude-opus-4-8",
                format!("[{}]", text("user", &["a", reminder, "a"])),
            ),
            (
                format!("[{user},{answer},{system},{user}]"),
                "claude-opus-4-8",
                format!("[{user},{answer},{}]", text("user", &[reminder, "a"])),
            ),
        ] {
            assert_eq!(messages(&json, model).unwrap(), expected, "{model}");
        }
    }

    #[test]
    fn results_stand_first_behind_their_calls() {
        let call = r#"{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]}"#;
        let result = r#"{"type":"tool_result","tool_use_id":"c","content":"r"}"#;
        let user = format!(r#"{{"role":"user","content":[{result}]}}"#);
        let json = format!("[{},{call},{},{user}]", text("user", &["a"]), text("user", &["b", ""]));
        let expected = format!(
            r#"[{},{call},{{"role":"user","content":[{result},{{"type":"text","text":"b"}}]}}]"#,
            text("user", &["a"])
        );
        assert_eq!(messages(&json, "m").unwrap(), expected);
        for (json, refused) in [
            (
                format!("[{call},{}]", text("user", &["b"])),
                "holds the call `c`, but no result right behind it",
            ),
            (format!("[{call}]"), "holds the call `c`, but no result right behind it"),
            (format!("[{user}]"), "holds a result for `c`, but no call right before it"),
            ("[]".to_owned(), "has nothing in it"),
            (format!("[{}]", text("user", &[""])), "has nothing in it"),
        ] {
            assert_eq!(messages(&json, "m").unwrap_err(), refused, "{json}");
        }
    }

    #[test]
    fn an_answer_is_only_gone_on_with_where_the_model_can() {
        let json = format!("[{},{}]", text("user", &["a"]), text("assistant", &["{"]));
        assert_eq!(messages(&json, "claude-sonnet-4-5").unwrap(), json);
        assert_eq!(
            messages(&json, "claude-opus-5").unwrap_err(),
            "ends in an answer, which the model does not go on with"
        );
    }

    #[test]
    fn a_hosted_tools_blocks_are_left_out_of_answers_only() {
        let block = |role: &str| format!(r#"{{"role":"{role}","content":[{{"type":"web_search_call"}}]}}"#);
        let json = format!("[{},{}]", block("assistant"), text("user", &["a"]));
        assert_eq!(messages(&json, "m").unwrap(), format!("[{}]", text("user", &["a"])));
        let refused = messages(&format!("[{}]", block("user")), "m").unwrap_err();
        assert_eq!(refused, "holds `web_search_call`, which has no counterpart in Anthropic Messages");
    }

    #[test]
    fn instructions_alone_are_asked_in_the_users_name() {
        let json = format!("[{}]", text("system", &["s"]));
        assert_eq!(messages(&json, "m").unwrap(), format!("[{}]", text("user", &["s"])));
    }

    #[test]
    fn thinking_goes_back_to_its_maker_only() {
        let opaque = Opaque { kind: OpaqueKind::Signature, data: "Eq".to_owned(), id: None, owner: None };
        let sealed = envelope::seal(&opaque, &Owner { provider: "p".to_owned(), model: "m".to_owned() });
        let answer = |signature: &str| {
            format!(
                r#"{{"role":"assistant","content":[{{"type":"thinking","thinking":"t","signature":"{signature}"}},{{"type":"text","text":"b"}}]}}"#
            )
        };
        let [before, after] = [text("user", &["a"]), text("user", &["c"])];
        let json = format!("[{before},{},{after}]", answer(&sealed));
        assert_eq!(messages(&json, "m").unwrap(), format!("[{before},{},{after}]", answer("Eq")));
        let without = format!("[{before},{},{after}]", text("assistant", &["b"]));
        assert_eq!(messages(&json, "n").unwrap(), without);
        assert_eq!(messages(&format!("[{before},{},{after}]", answer("Eq")), "m").unwrap(), without);
    }
}
