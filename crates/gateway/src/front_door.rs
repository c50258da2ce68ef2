//! `/` and `/api/hello`, by which people and clients see that they have reached a gateway.

use axum::{
    Json,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, Method, header};
use serde::Serialize;

/// What stands at `/` for all but browsers.
#[derive(Debug, Serialize)]
struct Greeting {
    name: &'static str,
    version: &'static str,
    dashboard: &'static str,
    openapi: &'static str,
    health: &'static str,
}

/// `GET /`: the page for a browser, a line for others. `HEAD` and, for HAProxy's checks, `OPTIONS` show that it is alive.
pub(crate) async fn root(method: Method, headers: HeaderMap) -> Response {
    if method == Method::GET && accepts_html(&headers) {
        // Relative, so that it also works behind a proxy that adds a prefix.
        return ([(header::VARY, "accept")], Redirect::temporary("dashboard")).into_response();
    }
    let greeting = Greeting {
        name: "switchboard",
        version: env!("CARGO_PKG_VERSION"),
        dashboard: "/dashboard",
        openapi: "/openapi.json",
        health: "/health",
    };
    ([(header::VARY, "accept")], Json(greeting)).into_response()
}

/// `/api/hello`: Claude Code asks before its first call whether it reaches Anthropic.
pub(crate) async fn hello() -> Json<Hello> {
    Json(Hello { message: "hello" })
}

/// Anthropic's own answer.
#[derive(Debug, Serialize)]
pub(crate) struct Hello {
    message: &'static str,
}

/// Whether the client asks for a page. One that takes anything is no browser.
fn accepts_html(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|list| list.split(',').any(is_html))
}

/// A media range is compared without its parameters.
fn is_html(range: &str) -> bool {
    let media_type = range.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("text/html")
}
