//! Which brackets are open, a bit for each.

/// The open brackets around a place.
#[derive(Debug)]
pub(super) struct Nesting<'o> {
    depth: usize,
    /// Whether they are braces; the innermost is the lowest bit.
    innermost: u64,
    /// Those around them, 64 in each; apart, so that the others are kept in registers.
    outer: &'o mut Vec<u64>,
}

impl<'o> Nesting<'o> {
    /// None. `outer` is an empty vector; more than 64 levels allocate.
    pub(super) const fn new(outer: &'o mut Vec<u64>) -> Self {
        Self { depth: 0, innermost: 0, outer }
    }

    pub(super) const fn depth(&self) -> usize {
        self.depth
    }

    pub(super) const fn is_object(&self) -> bool {
        self.innermost & 1 == 1
    }

    #[inline]
    pub(super) fn open(&mut self, is_object: bool) {
        if self.depth.is_multiple_of(64) && self.depth > 0 {
            push(self.outer, self.innermost);
        }
        self.innermost = self.innermost << 1 | u64::from(is_object);
        self.depth += 1;
    }

    /// Whether another is open.
    #[inline]
    pub(super) fn close(&mut self) -> bool {
        self.depth -= 1;
        self.innermost >>= 1;
        if self.depth.is_multiple_of(64) {
            return self.depth > 0 && self.reopen_outer();
        }
        true
    }

    #[inline]
    fn reopen_outer(&mut self) -> bool {
        let outer = pop(self.outer);
        self.innermost = outer.unwrap_or_default();
        outer.is_some()
    }
}

#[cold]
#[inline(never)]
fn push(outer: &mut Vec<u64>, brackets: u64) {
    outer.push(brackets);
}

#[cold]
#[inline(never)]
fn pop(outer: &mut Vec<u64>) -> Option<u64> {
    outer.pop()
}
