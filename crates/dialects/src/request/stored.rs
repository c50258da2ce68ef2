//! What a request refers to that a provider has stored.

use crate::json::{self, Cursor, Text};
use crate::lenient::{FromAny, FromFields, Words, fields};

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
    pub(super) previous_response: Option<Words<'a>>,
    pub(super) conversation: Option<ConversationId>,
    pub(super) prompt: Option<TemplateId>,
    pub(super) background: Option<Flag>,
    pub(super) input: Option<Input>,
    pub(super) cached_content: Option<Words<'a>>,
}

impl ScannedStored<'_> {
    pub(super) fn into_reference(self) -> Option<StoredReference> {
        let text = |words: Option<Words<'_>>| words.as_ref().and_then(boxed);
        let Input { item, file } = self.input.unwrap_or_default();
        let conversation = self.conversation.and_then(|ConversationId(id)| id);
        let prompt = self.prompt.and_then(|TemplateId(id)| id);
        let background = self.background.is_some_and(|Flag(is_set)| is_set);
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
fn boxed(words: &Words<'_>) -> Option<Box<str>> {
    words.decode().map(Into::into)
}

#[derive(Default)]
pub(super) struct Flag(bool);

impl FromAny<'_> for Flag {
    fn from_bool(value: bool) -> Self {
        Self(value)
    }
}

#[derive(Default)]
struct WithId<'a> {
    id: Words<'a>,
}

fields!(WithId<'a>: b"id" => id);

/// An id, or an object that has one.
#[derive(Default)]
pub(super) struct ConversationId(Option<Box<str>>);

impl<'a> FromAny<'a> for ConversationId {
    fn from_text(id: Text<'a>) -> Self {
        Self(boxed(&Words::from_text(id)))
    }

    fn from_object(object: &mut Cursor<'a>) -> json::Result<Self> {
        TemplateId::from_object(object).map(|TemplateId(id)| Self(id))
    }
}

/// An object that has an id.
#[derive(Default)]
pub(super) struct TemplateId(Option<Box<str>>);

impl<'a> FromAny<'a> for TemplateId {
    fn from_object(object: &mut Cursor<'a>) -> json::Result<Self> {
        let object: Option<WithId<'a>> = object.any()?;
        Ok(Self(object.and_then(|object| boxed(&object.id))))
    }
}

/// The first reference among the items of `input`, and the first file in them.
#[derive(Default)]
pub(super) struct Input {
    item: Option<Box<str>>,
    file: Option<Box<str>>,
}

impl<'a> FromAny<'a> for Input {
    fn from_array(array: &mut Cursor<'a>) -> json::Result<Self> {
        let mut found = Self::default();
        array.array(|item| {
            let item: Option<Item<'a>> = item.any()?;
            if let Some(item) = item {
                found.item = found.item.take().or_else(|| item.reference());
                found.file = found.file.take().or(item.file);
            }
            Ok(())
        })?;
        Ok(found)
    }
}

#[derive(Default)]
struct Item<'a> {
    id: Words<'a>,
    kind: Words<'a>,
    /// The first one.
    file: Option<Box<str>>,
    /// It has other fields than an id and a type.
    has_more: bool,
}

impl<'a> FromFields<'a> for Item<'a> {
    fn field(&mut self, name: &[u8], value: &mut Cursor<'a>) -> json::Result<()> {
        match name {
            b"id" => return value.read(&mut self.id),
            b"type" => return value.read(&mut self.kind),
            b"content" | b"output" => {
                let Parts(in_parts) = value.any()?;
                self.file = self.file.take().or(in_parts);
            }
            _ => value.skip()?,
        }
        self.has_more = true;
        Ok(())
    }
}

impl Item<'_> {
    /// The type of a reference may be left out: then the id is all that it has.
    fn reference(&self) -> Option<Box<str>> {
        let is_reference = match self.kind.decode() {
            Some(kind) => kind == "item_reference",
            None => !self.has_more,
        };
        is_reference.then(|| boxed(&self.id)).flatten()
    }
}

/// The first file among the parts of an item.
#[derive(Default)]
struct Parts(Option<Box<str>>);

impl<'a> FromAny<'a> for Parts {
    fn from_array(array: &mut Cursor<'a>) -> json::Result<Self> {
        let mut found = None;
        array.array(|part| {
            let part: Option<Part<'a>> = part.any()?;
            found = found.take().or_else(|| boxed(&part?.file_id));
            Ok(())
        })?;
        Ok(Self(found))
    }
}

#[derive(Default)]
struct Part<'a> {
    file_id: Words<'a>,
}

fields!(Part<'a>: b"file_id" => file_id);
