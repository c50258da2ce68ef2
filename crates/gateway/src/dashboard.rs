//! `GET /dashboard`: the page for on-call.
//!
//! Plain files in `dashboard/`, part of the binary. They contain no data, so they need no key; the page loads its data
//! from `/circuits`, which does. The content security policy allows the page its own scripts and its own gateway, and
//! nothing else: a model's name from a client or from Redis stays text.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    iter,
    sync::LazyLock,
};

use axum::{
    Router,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// The path of the page.
const PATH: &str = "/dashboard";

const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    // Revalidated each time: after an update no old script runs on a new page.
    (header::CACHE_CONTROL, "no-cache"),
];

/// A file of the page.
struct Asset {
    path: &'static str,
    media_type: &'static str,
    text: &'static str,
}

static PAGE: Asset =
    Asset { path: PATH, media_type: "text/html; charset=utf-8", text: include_str!("dashboard/index.html") };

macro_rules! files {
    ($media_type:expr; $($name:literal),+ $(,)?) => {
        [$(Asset {
            path: concat!("/dashboard/", $name),
            media_type: $media_type,
            text: include_str!(concat!("dashboard/", $name)),
        }),+]
    };
}

static STYLES: [Asset; 2] = files!["text/css; charset=utf-8"; "parts.css", "style.css"];

static SCRIPTS: [Asset; 25] = files![
    "text/javascript; charset=utf-8";
    "announce.js",
    "api.js",
    "changes.js",
    "circuits.js",
    "demo.js",
    "dom.js",
    "drawer.js",
    "events.js",
    "fleet.js",
    "flow.js",
    "format.js",
    "health.js",
    "keyboard.js",
    "lanes.js",
    "main.js",
    "models.js",
    "operate.js",
    "phase.js",
    "routes.js",
    "sparkline.js",
    "status.js",
    "theme.js",
    "tiles.js",
    "timeline.js",
    "traffic.js",
];

/// One tag for all files, because they only work together.
static ETAG: LazyLock<HeaderValue> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    assets().for_each(|file| file.text.hash(&mut hasher));
    let tag = format!("\"{:016x}\"", hasher.finish());
    HeaderValue::from_str(&tag).unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
});

fn assets() -> impl Iterator<Item = &'static Asset> {
    iter::once(&PAGE).chain(&STYLES).chain(&SCRIPTS)
}

/// The paths of the page.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    // Relative, so that it also works behind a proxy that adds a prefix.
    let slash = Router::new().route("/dashboard/", get(async || Redirect::permanent("../dashboard")));
    assets().fold(slash, |router, file| {
        router.route(file.path, get(async move |headers: HeaderMap| file.respond(&headers)))
    })
}

/// Whether a path belongs to the page: a browser that loads it has no key yet.
pub(crate) fn is_dashboard_path(path: &str) -> bool {
    path == PATH || path.strip_prefix(PATH).is_some_and(|rest| rest.starts_with('/'))
}

impl Asset {
    fn respond(&self, request_headers: &HeaderMap) -> Response {
        let known = request_headers
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .any(|tags| tags.to_str().is_ok_and(|tags| tags.split(',').any(|tag| tag.trim() == *ETAG)));
        let mut response = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, self.media_type)], self.text).into_response()
        };
        let headers = response.headers_mut();
        headers.extend(SECURITY_HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
        headers.insert(header::ETAG, ETAG.clone());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model's name, or a reason, is never markup: no file can turn text into markup or script, even if the content
    /// security policy fails.
    #[test]
    fn nothing_turns_text_into_markup() {
        let dangers = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "setHTML",
            "DOMParser",
            "createContextualFragment",
            "srcdoc",
            "eval(",
            "new Function",
            "javascript:",
        ];
        for file in assets() {
            for danger in dangers {
                assert!(!file.text.contains(danger), "{} has {danger}", file.path);
            }
        }
    }

    /// A key is gone with its tab: what outlives it is the theme alone.
    #[test]
    fn only_the_theme_outlives_the_tab() {
        for file in assets().filter(|file| !file.path.ends_with("/theme.js")) {
            assert!(!file.text.contains("localStorage"), "{}", file.path);
        }
    }

    /// So that it loads at once over a slow line, in the night of an outage.
    #[test]
    fn the_page_is_small() {
        let bytes: usize = assets().map(|file| file.text.len()).sum();
        assert!(bytes <= 120_000, "{bytes} bytes");
    }

    /// The content security policy would block it.
    #[test]
    fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
        for inline in ["style=", "<style", "onclick", "onload", "onerror", "<script>"] {
            assert!(!PAGE.text.contains(inline), "{inline}");
        }
        for file in assets() {
            for line in file.text.lines().filter(|line| !line.contains("http://www.w3.org/")) {
                assert!(!line.contains("http://") && !line.contains("https://"), "{}: {line}", file.path);
            }
        }
    }

    /// A script that is not served would be missing only where it is needed.
    #[test]
    fn every_file_that_is_named_is_served() {
        for file in assets() {
            for line in file.text.lines() {
                let named =
                    line.split('"').find(|part| part.starts_with("./") || part.starts_with("dashboard/"));
                let Some(named) = named else { continue };
                let path = format!("/dashboard/{}", named.rsplit('/').next().unwrap_or_default());
                assert!(assets().any(|other| other.path == path), "{}: {named}", file.path);
            }
        }
    }

    #[test]
    fn a_page_that_has_not_changed_is_not_sent_again() {
        let mut request_headers = HeaderMap::new();
        assert_eq!(PAGE.respond(&request_headers).status(), StatusCode::OK);
        request_headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"other\""));
        assert_eq!(PAGE.respond(&request_headers).status(), StatusCode::OK);
        request_headers.insert(header::IF_NONE_MATCH, ETAG.clone());
        assert_eq!(PAGE.respond(&request_headers).status(), StatusCode::NOT_MODIFIED);
    }
}
