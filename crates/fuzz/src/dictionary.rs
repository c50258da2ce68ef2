//! Tokens that random bytes would hardly ever hit.

/// Pieces of text that mean something to one reader or another.
pub(crate) const TOKENS: &[&[u8]] = &[
    // Lines, and the fields of server-sent events (WHATWG HTML, 9.2).
    b"\r\n", b"\r", b"\n\n", b"\r\r", b"\n\r\n", b"data: ", b"data:", b"event: error\n", b"event: ", b"id: ", b"retry: 1\n",
    b": ping\n\n", b"data: [DONE]\n\n", b"data: null\n\n", b"data: {}\n\n", b"\xef\xbb\xbf",
    // UTF-8 that is cut, overlong, of a surrogate, beyond Unicode; characters that change length with their case.
    b"\xe2\x82", b"\xf0\x9f\x98", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\0", "\u{130}".as_bytes(),
    "\u{df}".as_bytes(), "\u{2028}".as_bytes(), "\u{feff}".as_bytes(), "\u{1f600}".as_bytes(), "\u{fffd}".as_bytes(),
    // JSON.
    b"\\ud800", b"\\udc00", b"\\ud83d\\ude00", b"\\u0000", b"\\", b"\"", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true",
    b"false", b"1e999", b"-0", b"1E400", b"-1", b"0.1", b"9007199254740993", b"18446744073709551615",
    b"18446744073709551616", b"-9223372036854775809", b"1e-400", b"{\"\":\"\"}", b"[[[[[[[[", b"{\"a\":{\"a\":{\"a\":",
    // Addresses and the heads of requests.
    b"://", b"@", b"%", b"%2F", b"%00", b"%zz", b"[::1]", b"[::ffff:127.0.0.1]", b"127.0.0.1", b"localhost", b"..", b"//",
    b"/v1/v1", b"/v1beta/", b"?", b"#", b",", b"*", b"redis://", b"rediss+cluster://", b"redis-sentinel://", b":65536", b":0",
    b"http://", b"socks5h://", b"chunked", b"host: ", b"origin: ", b"transfer-encoding: ", b"retry-after: ",
    // Durations and times.
    b"ms", b"1h2m3.5s", b"inf", b"NaN", b"1e308", b"Tue, 01 Jul 2025 12:00:00 GMT", b"9999-12-31T23:59:59Z", b"-1s",
    // TOML and .env.
    b"${", b"}", b"${A:-${B}}", b"'''", b"\"\"\"", b"[[", b"]]", b"export ", b"=", b"#", b"'", b"\t",
    // Redis (RESP 3).
    b"$-1\r\n", b"*-1\r\n", b"*1000000\r\n", b"$1000000\r\n", b"_\r\n", b"%1\r\n", b",inf\r\n", b"(1\r\n", b"=4\r\ntxt:\r\n",
];

/// Names of fields and their usual values, of all API formats.
pub(crate) const WORDS: &[&str] = &[
    "type", "role", "content", "text", "model", "stream", "messages", "input", "contents", "parts", "tools", "tool_choice",
    "tool_calls", "function", "arguments", "parameters", "name", "id", "call_id", "tool_use_id", "tool_call_id", "index",
    "delta", "choices", "message", "finish_reason", "stop_reason", "finishReason", "usage", "usageMetadata", "error", "code",
    "status", "param", "details", "retryDelay", "candidates", "functionCall", "functionResponse", "args", "response",
    "inlineData", "fileData", "mimeType", "data", "url", "image_url", "source", "media_type", "thinking", "signature",
    "redacted_thinking", "thoughtSignature", "thought", "reasoning", "reasoning_content", "reasoning_details",
    "encrypted_content", "summary", "system", "instructions", "systemInstruction", "generationConfig", "response_format",
    "json_schema", "schema", "properties", "items", "anyOf", "$ref", "$defs", "required", "enum", "additionalProperties",
    "previous_response_id", "conversation", "store", "n", "max_tokens", "max_output_tokens", "stop", "stop_sequences",
    "temperature", "logprobs", "annotations", "citations", "groundingMetadata", "groundingChunks", "groundingSupports",
    "content_block", "content_block_start", "content_block_delta", "content_block_stop", "message_start", "message_delta",
    "message_stop", "input_json_delta", "partial_json", "text_delta", "thinking_delta", "signature_delta", "tool_use",
    "tool_result", "user", "assistant", "developer", "model", "function_call", "function_call_output", "output", "output_text",
    "input_text", "refusal", "custom", "namespace", "item", "item_id", "output_index", "content_index", "sequence_number",
    "response.created", "response.output_item.added", "response.output_item.done", "response.output_text.delta",
    "response.function_call_arguments.delta", "response.completed", "response.failed", "response.incomplete", "error",
    "cache_control", "ephemeral", "promptFeedback", "blockReason", "SAFETY", "STOP", "MALFORMED_FUNCTION_CALL", "length",
    "context_length_exceeded", "insufficient_quota", "model_not_found", "invalid_api_key", "rate_limit_exceeded",
    "state", "failureCount", "lastFailureTime", "openedAt", "epoch", "retryAt", "trips", "forced", "probe", "reason", "window",
    "updatedBy", "updatedAt", "seal", "alone", "OPEN", "CLOSED",
];
