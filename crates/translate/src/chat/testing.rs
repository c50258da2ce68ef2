//! What the tests of this folder share.

use crate::form::Owner;
use crate::names::ToolNames;
use crate::target::AnswerContext;

/// A call whose client wants usage.
pub(super) fn context() -> AnswerContext {
    AnswerContext {
        owner: Owner { provider: "p".to_owned(), model: "m".to_owned() },
        names: ToolNames::default(),
        has_namespaces: false,
        include_usage: true,
        show_reasoning: false,
        json_array: false,
        created: 1,
        request_id: "r".to_owned(),
        echo: String::new(),
    }
}
