//! The pass over a body. It fails on syntax only; the values are checked afterwards.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::stored::{ConversationId, Input, ScannedStored, TemplateId};
use crate::dialect::Dialect;
use crate::lenient::Lenient;

/// The fields of the body's top level that matter.
#[derive(Default)]
pub(super) struct ScannedFields<'a> {
    pub(super) model: Option<&'a RawValue>,
    pub(super) stream: Option<&'a RawValue>,
    pub(super) has_stream_options: bool,
    pub(super) stored: ScannedStored<'a>,
    pub(super) duplicate: Option<&'static str>,
}

pub(super) fn scan(dialect: Dialect, body: &str) -> serde_json::Result<ScannedFields<'_>> {
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let fields = ScannedFieldsSeed(dialect).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(fields)
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    Model,
    Stream,
    StreamOptions,
    PreviousResponseId,
    Conversation,
    Prompt,
    Background,
    Input,
    #[serde(rename = "cachedContent", alias = "cached_content")]
    CachedContent,
    #[serde(other)]
    Other,
}

/// Which keys matter depends on the format.
struct ScannedFieldsSeed(Dialect);

impl<'de> DeserializeSeed<'de> for ScannedFieldsSeed {
    type Value = ScannedFields<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ScannedFieldsSeed {
    type Value = ScannedFields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = ScannedFields::default();
        while let Some(key) = map.next_key::<Key>()? {
            let is_new = match (key, self.0) {
                (Key::Model, _) => fill(&mut fields.model, "model", &mut map)?,
                (Key::Stream, _) => fill(&mut fields.stream, "stream", &mut map)?,
                (Key::StreamOptions, Dialect::OpenAiChat) => {
                    fields.has_stream_options = true;
                    map.next_value::<IgnoredAny>().map(|_| Ok(()))?
                }
                (key, Dialect::OpenAiResponses | Dialect::Gemini) => {
                    read_stored(self.0, &key, &mut fields.stored, &mut map)?
                }
                _ => map.next_value::<IgnoredAny>().map(|_| Ok(()))?,
            };
            if let Err(name) = is_new {
                fields.duplicate = Some(name);
            }
        }
        Ok(fields)
    }
}

/// `Err`: the name of a field that occurs twice.
type IsNew = Result<(), &'static str>;

fn fill<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    slot: &mut Option<T>,
    name: &'static str,
    map: &mut A,
) -> Result<IsNew, A::Error> {
    let before = slot.replace(map.next_value()?);
    Ok(before.map_or(Ok(()), |_| Err(name)))
}

/// What refers to something stored, in the formats that have such fields.
fn read_stored<'de, A: MapAccess<'de>>(
    dialect: Dialect,
    key: &Key,
    stored: &mut ScannedStored<'de>,
    map: &mut A,
) -> Result<IsNew, A::Error> {
    match (dialect, key) {
        (Dialect::OpenAiResponses, Key::PreviousResponseId) => {
            fill(&mut stored.previous_response, "previous_response_id", map)
        }
        (Dialect::OpenAiResponses, Key::Conversation) => {
            fill::<Lenient<ConversationId>, _>(&mut stored.conversation, "conversation", map)
        }
        (Dialect::OpenAiResponses, Key::Prompt) => {
            fill::<Lenient<TemplateId>, _>(&mut stored.prompt, "prompt", map)
        }
        (Dialect::OpenAiResponses, Key::Background) => fill(&mut stored.background, "background", map),
        (Dialect::OpenAiResponses, Key::Input) => fill::<Lenient<Input>, _>(&mut stored.input, "input", map),
        (Dialect::Gemini, Key::CachedContent) => fill(&mut stored.cached_content, "cachedContent", map),
        _ => map.next_value::<IgnoredAny>().map(|_| Ok(())),
    }
}
