//! Whether a delta has content, under whatever name.

use crate::json::{Cursor, Result};
use crate::lenient::{Filled, FromFields};

/// Whether any field of an object except its role and type is a string, list or object that is not empty. Numbers and
/// booleans are indexes and flags, not content.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HasContent(pub(crate) bool);

impl<'a> FromFields<'a> for HasContent {
    #[inline]
    fn field(&mut self, name: &[u8], value: &mut Cursor<'a>) -> Result<()> {
        let Filled(filled) = value.any()?;
        self.0 |= filled && !matches!(name, b"role" | b"type");
        Ok(())
    }
}
