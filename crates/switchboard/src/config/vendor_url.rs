//! The value of a vendor's variable for its base URL, as its own programs read it.

use providers::Vendor;
use url::Url;

/// The base URL that a vendor's variable means: some name a host and port only (`OLLAMA_HOST=0.0.0.0:11434`), and some leave out the
/// path that the vendor's own programs put behind it (`GROQ_BASE_URL=https://api.groq.com`).
pub(super) fn complete(vendor: &Vendor, text: &str) -> String {
    let text = text.trim().trim_end_matches('/');
    let url = if text.contains("://") { text.to_owned() } else { with_scheme(vendor, text) };
    let path = vendor.base_url_variable.map_or("", |variable| variable.path);
    let Ok(parsed) = Url::parse(&url) else { return url };
    let last = parsed.path().rsplit('/').next().unwrap_or_default();
    let has_version =
        last.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if has_version || parsed.query().is_some() { url } else { format!("{url}{path}") }
}

fn with_scheme(vendor: &Vendor, host_and_port: &str) -> String {
    let usual = Url::parse(vendor.base_url).ok();
    let port = usual.and_then(|url| url.port()).map(|port| format!(":{port}")).unwrap_or_default();
    let (host, has_port) = match host_and_port.rsplit_once(':') {
        Some((host, port)) => (host, port.bytes().all(|byte| byte.is_ascii_digit())),
        None => (host_and_port, false),
    };
    // Ollama's own programs take these for this machine.
    let host_and_port =
        if host.is_empty() { format!("127.0.0.1{host_and_port}") } else { host_and_port.to_owned() };
    if has_port { format!("http://{host_and_port}") } else { format!("http://{host_and_port}{port}") }
}

#[cfg(test)]
mod tests {
    use super::{Vendor, complete};

    #[test]
    fn a_variable_means_what_the_vendors_programs_take_it_for() {
        for (name, text, expected) in [
            ("ollama", "127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
            ("ollama", "0.0.0.0", "http://0.0.0.0:11434/v1"),
            ("ollama", ":8080", "http://127.0.0.1:8080/v1"),
            ("ollama", "gpu.lan:80/", "http://gpu.lan:80/v1"),
            ("ollama", "[::1]", "http://[::1]:11434/v1"),
            ("ollama", "https://ollama.example/", "https://ollama.example/v1"),
            ("ollama", "http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1"),
            ("groq", "https://api.groq.com", "https://api.groq.com/openai/v1"),
            ("groq", "https://api.groq.com/openai/v1/", "https://api.groq.com/openai/v1"),
            ("groq", "http://proxy/v1", "http://proxy/v1"),
            ("cerebras", "https://api.cerebras.ai", "https://api.cerebras.ai/v1"),
            ("together", "https://api.together.xyz/v1", "https://api.together.xyz/v1"),
            ("cohere", "https://api.cohere.com", "https://api.cohere.com/compatibility/v1"),
            ("groq", "https://u:hush@h?x=y", "https://u:hush@h?x=y"),
        ] {
            assert_eq!(complete(Vendor::named(name).unwrap(), text), expected, "{text}");
        }
    }
}
