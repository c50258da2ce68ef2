//! Sixteen bytes that are compared at once: by SSE2 where there is some, else by what the compiler makes of a loop.

#[cfg(not(target_arch = "x86_64"))]
pub(super) use portable::Block;
#[cfg(target_arch = "x86_64")]
pub(super) use sse2::Block;

/// The bytes of a block.
pub(super) const BLOCK: usize = 16;

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::ops::BitOr;

    use safe_arch::{
        bitandnot_m128i, cmp_eq_mask_i8_m128i, cmp_gt_mask_i8_m128i, cmp_lt_mask_i8_m128i,
        load_unaligned_m128i, m128i, move_mask_i8_m128i, set_splat_i8_m128i,
    };

    use super::BLOCK;

    /// Bytes, or for each byte whether a comparison is true: all of its bits are set, or none.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Block(m128i);

    impl Block {
        #[inline]
        pub(in super::super) fn new(bytes: &[u8; BLOCK]) -> Self {
            Self(load_unaligned_m128i(bytes))
        }

        /// Which bytes are this one.
        #[inline]
        pub(in super::super) fn equal(self, byte: u8) -> Self {
            Self(cmp_eq_mask_i8_m128i(self.0, set_splat_i8_m128i(byte.cast_signed())))
        }

        /// Which bytes are below this one, as signed numbers: what is not ASCII is below zero.
        #[inline]
        pub(in super::super) fn below(self, byte: u8) -> Self {
            Self(cmp_lt_mask_i8_m128i(self.0, set_splat_i8_m128i(byte.cast_signed())))
        }

        /// Which bytes are above this one, as signed numbers.
        #[inline]
        pub(in super::super) fn above(self, byte: u8) -> Self {
            Self(cmp_gt_mask_i8_m128i(self.0, set_splat_i8_m128i(byte.cast_signed())))
        }

        /// These bits of each byte changed.
        #[inline]
        pub(in super::super) fn flip(self, bits: u8) -> Self {
            Self(self.0 ^ set_splat_i8_m128i(bits.cast_signed()))
        }

        /// What is true here and not there.
        #[inline]
        pub(in super::super) fn without(self, other: Self) -> Self {
            Self(bitandnot_m128i(other.0, self.0))
        }

        /// The highest bit of each byte, that of the first byte as the lowest.
        #[inline]
        pub(in super::super) fn high_bits(self) -> u32 {
            move_mask_i8_m128i(self.0).cast_unsigned()
        }
    }

    impl BitOr for Block {
        type Output = Self;

        #[inline]
        fn bitor(self, other: Self) -> Self {
            Self(self.0 | other.0)
        }
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    use std::ops::BitOr;

    use super::BLOCK;

    /// The same, one byte after the other.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Block([u8; BLOCK]);

    impl Block {
        #[inline]
        pub(in super::super) fn new(bytes: &[u8; BLOCK]) -> Self {
            Self(*bytes)
        }

        #[inline]
        pub(in super::super) fn equal(self, byte: u8) -> Self {
            self.map(|own| own == byte)
        }

        #[inline]
        pub(in super::super) fn below(self, byte: u8) -> Self {
            self.map(|own| own.cast_signed() < byte.cast_signed())
        }

        #[inline]
        pub(in super::super) fn above(self, byte: u8) -> Self {
            self.map(|own| own.cast_signed() > byte.cast_signed())
        }

        #[inline]
        pub(in super::super) fn flip(mut self, bits: u8) -> Self {
            for byte in &mut self.0 {
                *byte ^= bits;
            }
            self
        }

        #[inline]
        pub(in super::super) fn without(mut self, other: Self) -> Self {
            for (byte, other) in self.0.iter_mut().zip(other.0) {
                *byte &= !other;
            }
            self
        }

        #[inline]
        fn map(mut self, is_true: impl Fn(u8) -> bool) -> Self {
            for byte in &mut self.0 {
                *byte = if is_true(*byte) { u8::MAX } else { 0 };
            }
            self
        }

        #[inline]
        pub(in super::super) fn high_bits(self) -> u32 {
            let (halves, _) = self.0.as_chunks();
            let bits_of = |half: &[u8; BLOCK / 2]| {
                // Multiplied, the bits of all bytes meet in the highest one, each in a place of its own.
                let bits = (u64::from_le_bytes(*half) & 0x8080_8080_8080_8080) >> 7;
                bits.wrapping_mul(0x0102_0408_1020_4080) >> 56
            };
            let bits = halves.iter().rev().fold(0, |bits, half| bits << 8 | bits_of(half));
            u32::try_from(bits).unwrap_or_default()
        }
    }

    impl BitOr for Block {
        type Output = Self;

        #[inline]
        fn bitor(mut self, other: Self) -> Self {
            for (byte, other) in self.0.iter_mut().zip(other.0) {
                *byte |= other;
            }
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each operation of a type of blocks says.
    macro_rules! bits {
        ($block:expr, $byte:expr) => {{
            let (own, byte) = ($block, $byte);
            [
                own.high_bits(),
                own.equal(byte).high_bits(),
                own.below(byte).high_bits(),
                own.above(byte).high_bits(),
                own.flip(byte).high_bits(),
                own.below(byte).without(own.equal(b'"')).high_bits(),
                (own.equal(byte) | own.below(byte)).high_bits(),
            ]
        }};
    }

    fn expected_bits(block: &[u8; BLOCK], byte: u8) -> [u32; 7] {
        let of = |is_true: &dyn Fn(i8) -> bool| {
            (0..BLOCK).fold(0, |bits, at| bits | u32::from(is_true(block[at].cast_signed())) << at)
        };
        let byte = byte.cast_signed();
        [
            of(&|own| own < 0),
            of(&|own| own == byte),
            of(&|own| own < byte),
            of(&|own| own > byte),
            of(&|own| own ^ byte < 0),
            of(&|own| own < byte && own != b'"'.cast_signed()),
            of(&|own| own <= byte),
        ]
    }

    #[test]
    fn every_byte_in_every_place_is_compared() {
        for at in 0..BLOCK {
            for value in 0..=u8::MAX {
                let mut block = *b"sixteen \"bytes\"\\";
                block[at] = value;
                for byte in [b'"', b'\\', b' ', 0x7f, 0x80, 0] {
                    let expected = expected_bits(&block, byte);
                    assert_eq!(bits!(Block::new(&block), byte), expected, "{block:?} {byte}");
                    assert_eq!(bits!(portable::Block::new(&block), byte), expected, "{block:?} {byte}");
                }
            }
        }
    }
}
