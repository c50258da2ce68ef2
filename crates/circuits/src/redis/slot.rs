//! Which of a Redis Cluster's slots a key is in.

/// The number of slots of every Cluster.
pub(super) const SLOTS: usize = 16_384;

/// The slot of a key: CRC16 of the text between its first braces, or of all of it.
pub(super) fn slot(key: &str) -> usize {
    let tag = key.split_once('{').and_then(|(_, tail)| tail.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    usize::from(crc16(hashed.as_bytes())) % SLOTS
}

/// CRC-16/XMODEM, as in the Cluster specification.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use breaker::ModelKey;

    use super::{
        super::keys::{history_key, redis_key},
        *,
    };

    /// The expected slots are those of CLUSTER KEYSLOT.
    #[test]
    fn slots_are_those_of_redis() {
        for (key, expected) in [
            ("123456789", 12_739),
            ("circuit_breaker:openai:gpt-5", 15_505),
            ("circuit_breaker:anthropic:claude-sonnet-4-5-20250929", 8_428),
            ("circuit_breaker:bedrock:anthropic.claude-haiku-4-5-20251001-v1:0", 15_826),
        ] {
            assert_eq!(slot(key), expected, "{key}");
        }
    }

    #[test]
    fn a_history_is_in_its_circuits_slot() {
        for name in ["openai:gpt-5", "x:a:b:c", "x:/é-ü~\"'[]()*?\\", "x:1", "azure:deployments/a@b"] {
            let key: ModelKey = name.parse().unwrap();
            assert_eq!(slot(&redis_key(&key)), slot(&history_key(&key)), "{name}");
        }
    }
}
