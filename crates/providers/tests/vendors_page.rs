//! `docs/providers.md` lists the table of vendors. `WRITE=1 cargo test -p providers --test vendors_page` brings it up to date.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use dialects::Dialect;
use providers::{Activation, KeyCheck, StreamUsage, Vendor, VendorEndpoint};

/// The page's part above this line is written by hand.
const MARK: &str = "<!-- From here on written by crates/providers/tests/vendors_page.rs -->\n";

#[test]
fn the_page_lists_every_row() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers.md");
    let page = fs::read_to_string(&path).unwrap();
    let (by_hand, listed) = page.split_once(MARK).unwrap();
    let expected = tables();
    if std::env::var_os("WRITE").is_some() {
        fs::write(&path, format!("{by_hand}{MARK}{expected}")).unwrap();
    } else if listed != expected {
        let line = listed.lines().zip(expected.lines()).find(|(listed, expected)| listed != expected);
        panic!(
            "docs/providers.md is not up to date: WRITE=1 cargo test -p providers --test vendors_page\n{line:#?}"
        );
    }
}

fn tables() -> String {
    let mut page = String::new();
    let sections = [
        (Activation::Key, "Vendors"),
        (Activation::Named, "Vendors whose variable is set for other purposes, too"),
        (Activation::Local, "Servers on this machine"),
    ];
    for (activation, title) in sections {
        let vendors: Vec<_> = Vendor::all().iter().filter(|vendor| vendor.activation == activation).collect();
        writeln!(page, "\n## {title}\n").unwrap();
        page.push_str(
            "| name | base URL | key | formats | also has | tokens of streams | refuses | key check |\n",
        );
        page.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
        vendors.iter().for_each(|vendor| page.push_str(&row(vendor)));
    }
    page.push_str("\n## Where the rows are from\n\n| name | compared with |\n| --- | --- |\n");
    for vendor in Vendor::all() {
        let unverified = if vendor.is_verified { "" } else { "**unverified**: " };
        writeln!(page, "| `{}` | {unverified}{} |", vendor.name, vendor.source).unwrap();
    }
    page
}

fn row(vendor: &Vendor) -> String {
    let Vendor { name, base_url, documentation, .. } = vendor;
    let unverified = if vendor.is_verified { "" } else { " (unverified)" };
    let base_url_variable = vendor.base_url_variable.map_or_else(String::new, |variable| {
        let path = match variable.path {
            "" => String::new(),
            path => format!(", with `{path}` put behind it"),
        };
        format!(", or `{}`{path}", variable.name)
    });
    let formats: Vec<_> = vendor.speaks.iter().map(|dialect| format_name(*dialect)).collect();
    let endpoints: Vec<_> = vendor.endpoints.iter().copied().map(VendorEndpoint::name).collect();
    let usage = match vendor.stream_usage {
        StreamUsage::OnRequest => "on request",
        StreamUsage::Always => "always",
        StreamUsage::Unknown => "–",
    };
    let check = match vendor.key_check {
        KeyCheck::Checked(path) => format!("`GET {path}`"),
        KeyCheck::Public(path) => format!("none: `GET {path}` is public"),
        KeyCheck::Unknown(path) => format!("`GET {path}`?"),
    };
    format!(
        "| [`{name}`]({documentation}){unverified} | `{base_url}`{base_url_variable} | {} | {} | {} | {usage} | {} | {check} |\n",
        list(vendor.key_variables, "`"),
        formats.join(", "),
        list(&endpoints, ""),
        list(vendor.refuses, "`"),
    )
}

fn list(items: &[&str], quote: &str) -> String {
    match items {
        [] => "–".to_owned(),
        items => items.iter().map(|item| format!("{quote}{item}{quote}")).collect::<Vec<_>>().join(", "),
    }
}

fn format_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiChat => "chat",
        Dialect::OpenAiResponses => "responses",
        Dialect::Anthropic => "anthropic",
        Dialect::Gemini => "gemini",
        Dialect::BedrockConverse => "bedrock-converse",
    }
}
