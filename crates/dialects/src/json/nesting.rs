//! Which brackets are open, a bit for each.

/// The open brackets around a place. Allocates for more than 64 levels.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    depth: usize,
    /// Whether they are braces; the innermost is the lowest bit.
    innermost: u64,
    outer: Vec<u64>,
}

impl Nesting {
    pub(super) const fn depth(&self) -> usize {
        self.depth
    }

    pub(super) const fn is_object(&self) -> bool {
        self.innermost & 1 == 1
    }

    #[inline]
    pub(super) fn open(&mut self, is_object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.innermost);
        }
        self.innermost = self.innermost << 1 | u64::from(is_object);
        self.depth += 1;
    }

    #[inline]
    pub(super) fn close(&mut self) {
        self.depth -= 1;
        self.innermost >>= 1;
        if self.depth.is_multiple_of(64) {
            self.innermost = self.outer.pop().unwrap_or_default();
        }
    }
}
