//! The table of targets.

mod circuits;
mod configuration;
mod encodings;
mod errors;
mod forms;
mod heads;
mod http_requests;
mod http_responses;
mod messages;
mod names;
mod requests;
mod responses;
mod sse;
mod streams;
mod translations;

use dialects::Dialect;

use crate::target::{Memory, Target};

const KIB: usize = 1024;

/// What a reader needs whatever it reads: tables that are made at their first use, and the answers to nothing.
const CONSTANT: u64 = 192 * KIB as u64;

const fn target(
    name: &'static str,
    reads: &'static str,
    run: fn(&[u8], &mut crate::Features),
    seeds: fn() -> Vec<Vec<u8>>,
    per_byte: u64,
) -> Target {
    let memory = Memory { per_byte, constant: CONSTANT };
    Target { name, reads, run, seeds, memory, max_bytes: 64 * KIB, is_linear: true }
}

/// All targets.
///
/// The memory of one is what it allocates for each byte of its input, with the copies that its own checks make.
pub const TARGETS: [Target; 20] = [
    target(
        "request_chat",
        "requests in Chat Completions, translated to all formats",
        requests::chat,
        || requests::seeds(Dialect::OpenAiChat),
        128,
    ),
    target(
        "request_responses",
        "requests in Responses, translated to all formats",
        requests::responses,
        || requests::seeds(Dialect::OpenAiResponses),
        128,
    ),
    target(
        "request_messages",
        "requests in Messages, translated to all formats",
        requests::messages,
        || requests::seeds(Dialect::Anthropic),
        128,
    ),
    target(
        "request_gemini",
        "requests in Gemini, translated to all formats",
        requests::gemini,
        || requests::seeds(Dialect::Gemini),
        128,
    ),
    target("response", "plain responses of all formats, translated", responses::run, responses::seeds, 128),
    target("stream", "streams of all formats, translated", streams::run, streams::seeds, 512),
    target("sse", "frames of server-sent events, in any pieces", sse::run, sse::seeds, 512),
    target(
        "event_stream",
        "messages of AWS' event stream, in any pieces",
        messages::run,
        messages::seeds,
        512,
    ),
    target(
        "http_request",
        "heads and bodies of HTTP/1.1 requests, in any pieces",
        http_requests::run,
        http_requests::seeds,
        512,
    ),
    target(
        "http_response",
        "heads and bodies of HTTP/1.1 responses, in any pieces",
        http_responses::run,
        http_responses::seeds,
        512,
    ),
    target("error_body", "bodies of errors, classified and translated", errors::run, errors::seeds, 128),
    Target {
        max_bytes: 2 * KIB,
        is_linear: false,
        memory: Memory { per_byte: 0, constant: 256 * 1024 * 1024 },
        ..target(
            "encoding",
            "gzip, deflate, Brotli and Zstandard, in any pieces",
            encodings::run,
            encodings::seeds,
            0,
        )
    },
    Target {
        // What is no TOML costs its parser more than in proportion.
        max_bytes: 2 * KIB,
        is_linear: false,
        ..target("configuration", "switchboard.toml", configuration::file, configuration::file_seeds, 512)
    },
    Target {
        // `${NAME}` repeats values, up to a MiB.
        memory: Memory { per_byte: 128, constant: 8 * 1024 * 1024 },
        ..target(
            "dotenv",
            ".env, listen addresses, durations",
            configuration::dotenv,
            configuration::dotenv_seeds,
            0,
        )
    },
    target("form", "forms with files, whose model is renamed", forms::run, forms::seeds, 16),
    target(
        "record",
        "values of circuits and heartbeats in Redis",
        circuits::value,
        circuits::value_seeds,
        128,
    ),
    Target {
        // A cluster's slots have an owner each.
        memory: Memory { per_byte: 128, constant: 2 * 1024 * 1024 },
        ..target(
            "redis_reply",
            "replies of Redis: scripts, histories, keys, slots",
            circuits::reply,
            circuits::reply_seeds,
            0,
        )
    },
    Target {
        // Each node of a Cluster is read with the user and password of all: as long as nobody writes them longer.
        max_bytes: KIB,
        ..target(
            "name",
            "URLs of Redis and proxies, model keys, names of callers",
            names::run,
            names::seeds,
            1_024,
        )
    },
    Target {
        max_bytes: 16 * KIB,
        ..target(
            "request_head",
            "paths, Host, Origin, keys, traceparent, clients' timeouts",
            heads::request,
            heads::request_seeds,
            128,
        )
    },
    Target {
        max_bytes: 16 * KIB,
        ..target(
            "response_head",
            "retry-after and the headers of rate limits",
            heads::response,
            heads::response_seeds,
            128,
        )
    },
];
