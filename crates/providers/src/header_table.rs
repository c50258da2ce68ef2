//! Tables of header names, in which a name is found by its first letter: most names of a request or response are in none.

use std::iter;

/// Names of headers, and what is to be known of each. Names are in lower case.
pub(crate) struct HeaderTable<T: 'static> {
    rows: &'static [(HeaderPattern, T)],
    /// A bit for each row, by the last five bits of the first letter of its name.
    rows_by_letter: [u32; 32],
}

/// Which headers a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderPattern {
    /// The one of this name.
    Name(&'static str),
    /// Those whose names begin so.
    Prefix(&'static str),
}

impl HeaderPattern {
    const fn text(self) -> &'static str {
        match self {
            Self::Name(text) | Self::Prefix(text) => text,
        }
    }

    fn matches(self, name: &str) -> bool {
        match self {
            Self::Name(own) => name == own,
            Self::Prefix(prefix) => name.starts_with(prefix),
        }
    }
}

impl<T> HeaderTable<T> {
    /// A table of at most 32 rows. For constants: more do not compile.
    pub(crate) const fn new(rows: &'static [(HeaderPattern, T)]) -> Self {
        let mut rows_by_letter = [0; 32];
        let mut row = 0;
        while row < rows.len() {
            let first = rows[row].0.text().as_bytes()[0];
            rows_by_letter[(first & 31) as usize] |= 1_u32 << row;
            row += 1;
        }
        Self { rows, rows_by_letter }
    }

    /// What the rows say that a name in lower case belongs to, in their order.
    pub(crate) fn of<'n>(&self, name: &'n str) -> impl Iterator<Item = &'static T> + use<'n, T> {
        let first = name.as_bytes().first().copied().unwrap_or_default();
        let (rows, mut left) = (self.rows, self.rows_by_letter[usize::from(first & 31)]);
        iter::from_fn(move || {
            while left != 0 {
                let (pattern, value) = &rows[left.trailing_zeros() as usize];
                left &= left - 1;
                if pattern.matches(name) {
                    return Some(value);
                }
            }
            None
        })
    }

    /// Whether a row is about the header of this name in lower case.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.of(name).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::HeaderPattern::{Name, Prefix};
    use super::HeaderTable;

    const TABLE: HeaderTable<u8> =
        HeaderTable::new(&[(Name("x-a"), 1), (Prefix("x-"), 2), (Name("8"), 3), (Name("x-a"), 4)]);

    #[test]
    fn all_rows_of_a_name_are_found() {
        for (name, expected) in [
            ("x-a", &[1, 2, 4][..]),
            ("x-ab", &[2]),
            ("x-", &[2]),
            ("x", &[]),
            ("", &[]),
            ("8", &[3]),
            // The same last bits.
            ("X-a", &[]),
            ("\u{98}", &[]),
        ] {
            assert!(TABLE.of(name).eq(expected), "{name}");
            assert_eq!(TABLE.has(name), !expected.is_empty(), "{name}");
        }
    }
}
