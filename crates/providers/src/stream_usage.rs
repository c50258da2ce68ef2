//! Which vendors take `stream_options.include_usage`, by the hosts of their base URLs.

/// A vendor's host, and where it says that it takes the option.
struct VendorHost {
    host: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers of the table"))]
    source: &'static str,
}

/// A host that is not in it is not asked, since a server may refuse a field that it does not know. OpenRouter needs no row: it
/// always reports the tokens (<https://openrouter.ai/docs/client-sdks/typescript/models/chatstreamoptions>).
const HOSTS: &[VendorHost] = &[VendorHost {
    host: "api.openai.com",
    source: "https://platform.openai.com/docs/api-reference/chat/create#chat-create-stream_options",
}];

pub(crate) fn takes_stream_usage(host: &str) -> bool {
    HOSTS.iter().any(|row| row.host == host)
}

#[cfg(test)]
mod tests {
    use super::{HOSTS, takes_stream_usage};

    #[test]
    fn only_hosts_with_a_source_are_asked() {
        assert!(HOSTS.iter().all(|row| row.source.starts_with("https://")));
        assert!(takes_stream_usage("api.openai.com"));
        for host in ["openai.com", "api.openai.com.example", "api.mistral.ai", "openrouter.ai", "127.0.0.1"] {
            assert!(!takes_stream_usage(host), "{host}");
        }
    }
}
