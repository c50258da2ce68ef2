use std::collections::HashSet;

use url::Url;

use super::{Activation, Vendor};

#[test]
fn every_row_is_complete() {
    let mut hosts = HashSet::new();
    for vendor in Vendor::all() {
        let name = vendor.name;
        let url = Url::parse(vendor.base_url).unwrap_or_else(|error| panic!("{name}: {error}"));
        let is_local = vendor.activation == Activation::Local;
        assert_eq!(url.scheme(), if is_local { "http" } else { "https" }, "{name}");
        assert!(url.query().is_none() && !vendor.base_url.ends_with('/'), "{name}");
        assert!(vendor.documentation.starts_with("https://"), "{name}");
        assert!(!vendor.source.is_empty() && !vendor.speaks.is_empty(), "{name}");
        assert!(is_local || !vendor.key_variables.is_empty(), "{name} cannot have a key");
        assert!(
            vendor.base_url_variable.is_none_or(|variable| vendor.base_url.ends_with(variable.path)),
            "{name}"
        );
        assert!(!vendor.key_check.path().is_empty(), "{name}");
        assert!(
            hosts.insert((url.host_str().map(str::to_owned), url.port(), url.path().to_owned())),
            "{name}"
        );
    }
}

#[test]
fn names_are_sorted_and_valid_and_variables_are_of_one_vendor() {
    let names: Vec<_> = Vendor::all().iter().map(|vendor| vendor.name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    let valid = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    assert!(names.iter().all(|name| valid(name)), "{names:?}");
    let mut variables = HashSet::new();
    for variable in Vendor::all().iter().flat_map(Vendor::variables) {
        assert!(variables.insert(variable), "{variable} stands twice");
        assert!(
            variable.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        );
    }
}

#[test]
fn a_vendor_is_recognized_by_its_base_url() {
    for vendor in Vendor::all().iter().filter(|vendor| vendor.activation != Activation::Local) {
        for ending in ["", "/"] {
            let url = Url::parse(&format!("{}{ending}", vendor.base_url)).unwrap();
            assert_eq!(Vendor::of_url(&url).map(|found| found.name), Some(vendor.name), "{url}");
        }
    }
    for url in [
        "https://api.groq.com.example/openai/v1",
        "https://groq.com/openai/v1",
        "https://api.groq.com:8443/openai/v1",
        "https://api.groq.com/openai/v10",
        "http://127.0.0.1:11434/v1",
        "https://api.openai.com/v1",
    ] {
        assert!(Vendor::of_url(&url.parse().unwrap()).is_none(), "{url}");
    }
}

#[test]
fn vendors_are_found_by_name() {
    assert!(Vendor::named("groq").is_some_and(|vendor| vendor.key_variables == ["GROQ_API_KEY"]));
    assert!(Vendor::named("openai").is_none() && Vendor::named("").is_none());
}
