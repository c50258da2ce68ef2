//! Writing protobuf: <https://protobuf.dev/programming-guides/encoding/>.

/// A message that is being written. As in proto3, a field with its default is left out.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const DELIMITED: u64 = 2;
const FIXED_32: u64 = 5;

impl Message {
    /// The message, as the function writes its fields.
    pub(super) fn of(write: impl FnOnce(&mut Self)) -> Self {
        let mut message = Self::default();
        write(&mut message);
        message
    }

    /// The message as it is sent.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A number (`int32`, `int64`, `uint32`, an enumeration).
    pub(super) fn number(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.present_number(field, value);
        }
    }

    /// A number that is a member of a `oneof`: its default is written, too.
    pub(super) fn present_number(&mut self, field: u64, value: u64) {
        self.tag(field, VARINT);
        self.varint(value);
    }

    /// A `fixed32`.
    pub(super) fn fixed_32(&mut self, field: u64, value: u32) {
        if value != 0 {
            self.tag(field, FIXED_32);
            self.0.extend(value.to_le_bytes());
        }
    }

    /// A `fixed64`.
    pub(super) fn fixed_64(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.tag(field, FIXED_64);
            self.0.extend(value.to_le_bytes());
        }
    }

    /// A `double` that is a member of a `oneof`.
    pub(super) fn present_double(&mut self, field: u64, value: f64) {
        self.tag(field, FIXED_64);
        self.0.extend(value.to_le_bytes());
    }

    /// Text or bytes.
    pub(super) fn bytes(&mut self, field: u64, value: impl AsRef<[u8]>) {
        if !value.as_ref().is_empty() {
            self.present_bytes(field, value);
        }
    }

    /// Text or bytes that are a member of a `oneof`.
    pub(super) fn present_bytes(&mut self, field: u64, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        self.tag(field, DELIMITED);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    /// A message in this one.
    pub(super) fn message(&mut self, field: u64, write: impl FnOnce(&mut Self)) {
        self.present_bytes(field, Self::of(write).0);
    }

    fn tag(&mut self, field: u64, wire_type: u64) {
        self.varint(field << 3 | wire_type);
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }
}
