use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::HeaderValue;

use super::*;

const EVENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n";
const BROTLI: &[u8] = b"\x8b\xc3\x04\x00\x9c\x07\x76\xc3\x47\xc2\xb9\x34\x10\xea\x68\x7f\xf3\xd6\x22\x7b\x5b\x30\x53\xa1\xab\x2f\x75\x44\xfa\x0a\x84\x05\x36\xe0\x80\x3d\xd1\x39\xca\x00\x86\x1d\xb0\xf1\x3b\x38\x3c\xa0\x64\x79\xf1\x84\xc4\xaa\xb8\x89\x60\x38\xc1\x7d\x41\x00\x40\xdf\x18\x18\xd1\x00\x80\x5f\x52\x61\xab\x2b\x09\x50\x44\x93\x60\x49\xed\xfc\x01";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x04\x58\x4d\x02\x00\x52\xc4\x0f\x17\x90\xb5\x6d\x4b\xad\x35\xcd\x05\x98\xb5\x0d\x65\x8d\xa8\x2a\x28\x59\x53\x6a\xaa\xe7\x2f\x1d\x66\xa6\x38\x10\xa2\x98\x2d\xb3\xd6\x13\xf3\x1a\xbf\x37\xda\x46\x29\xaf\xee\xd8\xbc\x7a\x61\xb8\x07\x56\xd1\xb9\x2a\x77\xc0\xe6\x49\x49\x5e\x05\x87\x8d\x1a\x01\x00\xed\x14\xc0\x0f\x50\xfc\xf5\xa8\x94";

fn plain() -> Vec<u8> {
    format!("{}data: [DONE]\n\n", EVENT.repeat(40)).into_bytes()
}

fn headers(coding: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))])
}

fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
    for encoder in [&mut gzip as &mut dyn Write, &mut zlib, &mut deflate] {
        encoder.write_all(&plain()).unwrap();
    }
    vec![
        ("gzip", gzip.finish().unwrap()),
        ("X-Gzip", {
            let mut again = GzEncoder::new(Vec::new(), Compression::fast());
            again.write_all(&plain()).unwrap();
            again.finish().unwrap()
        }),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", deflate.finish().unwrap()),
        ("br", BROTLI.to_vec()),
        ("zstd", ZSTD.to_vec()),
    ]
}

fn decode(coding: &'static str, pieces: &[&[u8]]) -> Result<Vec<u8>, ProviderError> {
    let mut headers = headers(coding);
    let mut decoder = BodyDecoder::take_from(&mut headers).unwrap();
    assert!(headers.is_empty(), "{coding}");
    let mut decoded = Vec::new();
    for piece in pieces {
        decoded.extend_from_slice(&decoder.push(piece)?);
    }
    decoded.extend_from_slice(&decoder.finish()?);
    Ok(decoded)
}

#[test]
fn a_compressed_body_becomes_the_plain_one_however_it_is_cut() {
    for (coding, body) in samples() {
        for size in [1, 2, 3, 7, 50, body.len()] {
            let pieces: Vec<&[u8]> = body.chunks(size).collect();
            assert_eq!(decode(coding, &pieces).unwrap(), plain(), "{coding}, pieces of {size}");
        }
    }
}

#[test]
fn an_event_is_there_with_its_last_byte() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut decoder = BodyDecoder::take_from(&mut headers("gzip")).unwrap();
    for _ in 0..3 {
        gzip.write_all(EVENT.as_bytes()).unwrap();
        gzip.flush().unwrap();
        let piece = std::mem::take(gzip.get_mut());
        assert_eq!(decoder.push(&piece).unwrap(), EVENT);
    }
}

#[test]
fn half_a_body_is_a_truncation_and_another_body_is_invalid() {
    for (coding, body) in samples() {
        let error = decode(coding, &[&body[..body.len() / 2]]).unwrap_err();
        assert!(
            matches!(error.kind, ProviderErrorKind::Truncated | ProviderErrorKind::Invalid),
            "{coding}: {error:?}"
        );
        let error = decode(coding, &[b"{\"choices\":[{\"message\":{\"content\":\"plain after all\"}}]}"])
            .unwrap_err();
        assert!(
            matches!(error.kind, ProviderErrorKind::Truncated | ProviderErrorKind::Invalid),
            "{coding}: {error:?}"
        );
    }
}

#[test]
fn a_few_bytes_do_not_become_very_many() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..MAX_DECODED_BYTES / 65_536 + 1 {
        gzip.write_all(&[0; 65_536]).unwrap();
    }
    let error = decode("gzip", &[&gzip.finish().unwrap()]).unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::TooLarge(MAX_DECODED_BYTES));
}

#[test]
fn brotlis_window_is_no_larger_than_its_rfc_allows() {
    for first in [0x11, 0x91] {
        let error = decode("br", &[&[first], &[0x1e, 0x00, 0x00, 0x00]]).unwrap_err();
        assert_eq!(error.kind, ProviderErrorKind::Invalid, "a window of 1 GiB");
    }
}

#[test]
fn what_is_not_known_is_left_as_it_is() {
    let mut unknown = headers("compress");
    assert!(BodyDecoder::take_from(&mut unknown).is_none());
    assert!(unknown.contains_key(CONTENT_ENCODING));
    let mut identity = headers("identity");
    assert!(BodyDecoder::take_from(&mut identity).is_none());
    assert!(identity.is_empty());
}
