//! Compressed bodies of providers, in pieces.

use std::io::Write;

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};

use crate::{cuts::pieces, features::Features};

/// The codings, by the first byte of an input.
const CODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

/// The target looks no further at what came of an input.
const LIMIT: usize = 1024 * 1024;

pub(super) fn run(input: &[u8], features: &mut Features) {
    let Some((first, body)) = input.split_first() else { return };
    let coding = CODINGS[usize::from(first & 3)];
    let whole = providers::fuzzing::decode(coding, std::iter::once(body), LIMIT);
    match &whole {
        Ok(decoded) => features.add_magnitude(coding, decoded.len() as u64),
        Err(kind) => features.add_variant(coding, kind),
    }
    for longest in [1, 16, 1_024] {
        let cut = providers::fuzzing::decode(coding, pieces(body, longest), LIMIT);
        match (&whole, &cut) {
            (Ok(whole), Ok(cut)) => {
                // Each stops behind the limit, at the end of a piece.
                let length = whole.len().min(cut.len());
                assert!(whole[..length] == cut[..length], "{coding} in pieces of {longest}");
                assert!(
                    whole.len() == cut.len() || length > LIMIT,
                    "{coding} in pieces of {longest}: the length"
                );
            }
            // What is wrong may come behind the limit, where only one of them looks.
            (Ok(decoded), Err(_)) | (Err(_), Ok(decoded)) => {
                assert!(decoded.len() > LIMIT, "{coding} in pieces of {longest}: {whole:?} {cut:?}");
            }
            (Err(_), Err(_)) => {}
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    /// `{"a": "b"}` and a repetition, as `brotli` and `zstd` write them.
    const BROTLI: &[u8] = b"2\x8f\x04\x80{\"a\": \"b\"}\n\x03";
    const ZSTD: &[u8] = b"2\x28\xb5\x2f\xfd\x04\x58\x51\x00\x00{\"a\": \"b\"}\x68\x69\x3c\x1c";
    const ZSTD_REPEATED: &[u8] = b"3\x28\xb5\x2f\xfd\x00\x58\x1b\x00\x00x\x0a\x00\x00y\x53\x00\x00z";
    let text = br#"{"choices":[{"message":{"content":"hello hello hello hello"}}]}"#;
    let mut seeds = vec![
        [b"0", &finish(GzEncoder::new(Vec::new(), Compression::best()), text, GzEncoder::finish)[..]]
            .concat(),
        [b"0", &finish(GzEncoder::new(Vec::new(), Compression::none()), text, GzEncoder::finish)[..]]
            .concat(),
        [b"1", &finish(ZlibEncoder::new(Vec::new(), Compression::fast()), text, ZlibEncoder::finish)[..]]
            .concat(),
        [
            b"1",
            &finish(DeflateEncoder::new(Vec::new(), Compression::best()), text, DeflateEncoder::finish)[..],
        ]
        .concat(),
        BROTLI.to_vec(),
        [b"3", &ZSTD[1..]].concat(),
        ZSTD_REPEATED.to_vec(),
    ];
    // Two members, one behind the other.
    let twice = [&seeds[0][..], &seeds[0][1..]].concat();
    seeds.push(twice);
    seeds
}

fn finish<E: Write>(mut encoder: E, text: &[u8], end: impl FnOnce(E) -> std::io::Result<Vec<u8>>) -> Vec<u8> {
    encoder.write_all(text).and_then(|()| end(encoder)).unwrap_or_default()
}
