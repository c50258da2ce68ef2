//! What a request refers to that a provider has stored.

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use crate::lenient::{FromAny, Lenient, Object, Text};

/// Something that a provider has stored: only the account that stored it can answer the request. Where there are several,
/// it is the first in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredReference {
    /// `previous_response_id`: the id of a response.
    Response(Box<str>),
    /// `conversation`: the id of a conversation.
    Conversation(Box<str>),
    /// An `item_reference`: the id of an item of a response.
    Item(Box<str>),
    /// `prompt`: the id of a template.
    Prompt(Box<str>),
    /// `file_id`: the id of a file.
    File(Box<str>),
    /// `cachedContent`: the name of Gemini's cached prompt.
    CachedContent(Box<str>),
    /// `background`: the answer will be stored, and fetched by its id.
    Background,
}

impl StoredReference {
    /// The field that has it, in the caller's words.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Response(_) => "previous_response_id",
            Self::Conversation(_) => "conversation",
            Self::Item(_) => "input",
            Self::Prompt(_) => "prompt",
            Self::File(_) => "file_id",
            Self::CachedContent(_) => "cachedContent",
            Self::Background => "background",
        }
    }

    /// The id; `None`: it refers to nothing that exists yet.
    #[must_use]
    pub const fn id(&self) -> Option<&str> {
        match self {
            Self::Response(id)
            | Self::Conversation(id)
            | Self::Item(id)
            | Self::Prompt(id)
            | Self::File(id)
            | Self::CachedContent(id) => Some(id),
            Self::Background => None,
        }
    }
}

/// What a body has of it.
#[derive(Default)]
pub(super) struct ScannedStored<'a> {
    pub(super) previous_response: Option<Lenient<Text<'a>>>,
    pub(super) conversation: Option<Lenient<ConversationId>>,
    pub(super) prompt: Option<Lenient<TemplateId>>,
    pub(super) background: Option<Lenient<Flag>>,
    pub(super) input: Option<Lenient<Input>>,
    pub(super) cached_content: Option<Lenient<Text<'a>>>,
}

impl ScannedStored<'_> {
    pub(super) fn into_reference(self) -> Option<StoredReference> {
        let text = |text: Option<Lenient<Text<'_>>>| text.and_then(boxed);
        let Input { item, file } = self.input.map(|input| input.0).unwrap_or_default();
        let conversation = self.conversation.and_then(|conversation| conversation.0.0);
        let prompt = self.prompt.and_then(|prompt| prompt.0.0);
        let background = self.background.is_some_and(|background| background.0.0);
        text(self.previous_response)
            .map(StoredReference::Response)
            .or_else(|| conversation.map(StoredReference::Conversation))
            .or_else(|| item.map(StoredReference::Item))
            .or_else(|| prompt.map(StoredReference::Prompt))
            .or_else(|| file.map(StoredReference::File))
            .or_else(|| text(self.cached_content).map(StoredReference::CachedContent))
            .or_else(|| background.then_some(StoredReference::Background))
    }
}

/// An id of any length: gateways put names into theirs.
fn boxed(Lenient(Text(text)): Lenient<Text<'_>>) -> Option<Box<str>> {
    text.map(Into::into)
}

#[derive(Default)]
pub(super) struct Flag(bool);

impl FromAny<'_> for Flag {
    fn from_bool(value: bool) -> Self {
        Self(value)
    }
}

#[derive(Deserialize)]
struct WithId<'a> {
    #[serde(default, borrow)]
    id: Lenient<Text<'a>>,
}

/// An id, or an object that has one.
#[derive(Default)]
pub(super) struct ConversationId(Option<Box<str>>);

impl<'de> FromAny<'de> for ConversationId {
    fn from_str(id: &str) -> Self {
        Self((!id.is_empty()).then(|| id.into()))
    }

    fn from_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        TemplateId::from_map(map).map(|TemplateId(id)| Self(id))
    }
}

/// An object that has an id.
#[derive(Default)]
pub(super) struct TemplateId(Option<Box<str>>);

impl<'de> FromAny<'de> for TemplateId {
    fn from_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        let object = WithId::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Self(boxed(object.id)))
    }
}

/// The first reference among the items of `input`, and the first file in them.
#[derive(Default)]
pub(super) struct Input {
    item: Option<Box<str>>,
    file: Option<Box<str>>,
}

impl<'de> FromAny<'de> for Input {
    fn from_seq<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut found = Self::default();
        while let Some(Lenient(item)) = items.next_element::<Lenient<Item>>()? {
            found.item = found.item.or(item.reference);
            found.file = found.file.or(item.file);
        }
        Ok(found)
    }
}

#[derive(Default)]
struct Item {
    reference: Option<Box<str>>,
    file: Option<Box<str>>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum ItemKey {
    Id,
    Type,
    Content,
    Output,
    #[serde(other)]
    Other,
}

impl<'de> FromAny<'de> for Item {
    /// The type of a reference may be left out: then the id is all that it has.
    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let (mut id, mut kind) = <(Lenient<Text<'de>>, Lenient<Text<'de>>)>::default();
        let (mut file, mut has_more) = (None, false);
        while let Some(key) = map.next_key()? {
            match key {
                ItemKey::Id => id = map.next_value()?,
                ItemKey::Type => kind = map.next_value()?,
                ItemKey::Content | ItemKey::Output => {
                    let Lenient(Parts(in_parts)) = map.next_value()?;
                    (file, has_more) = (file.or(in_parts), true);
                }
                ItemKey::Other => {
                    map.next_value::<IgnoredAny>()?;
                    has_more = true;
                }
            }
        }
        let is_reference = match kind.0.0.as_deref() {
            Some(kind) => kind == "item_reference",
            None => !has_more,
        };
        Ok(Self { reference: is_reference.then(|| boxed(id)).flatten(), file })
    }
}

/// The first file among the parts of an item.
#[derive(Default)]
struct Parts(Option<Box<str>>);

impl<'de> FromAny<'de> for Parts {
    fn from_seq<A: SeqAccess<'de>>(mut parts: A) -> Result<Self, A::Error> {
        #[derive(Deserialize)]
        struct Part<'a> {
            #[serde(default, borrow)]
            file_id: Lenient<Text<'a>>,
        }
        let mut found = None;
        while let Some(part) = parts.next_element::<Object<Part<'de>>>()? {
            found = found.or_else(|| boxed(part.get()?.file_id));
        }
        Ok(Self(found))
    }
}
