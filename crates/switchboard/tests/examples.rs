//! The example files at the root of the repository say what is true.

#![expect(clippy::panic, reason = "helpers of tests fail tests")]

use std::{collections::BTreeSet, path::Path};

use providers::{Activation, AwsEnvironment, GoogleEnvironment, Vendor};
use switchboard::config::{
    Config, Environment, SourceFile, Sources, environment::names, tasks::task_variables,
};

const CONFIG: &str = include_str!("../../../switchboard.example.toml");
const DOTENV: &str = include_str!("../../../.env.example");

fn load(text: &str, environment: Environment) -> Config {
    let file = SourceFile { path: "switchboard.example.toml".into(), text: text.to_owned() };
    let loaded = Config::load(&Sources { file: Some(file), environment, listen: None });
    loaded.unwrap_or_else(|problems| panic!("{problems}"))
}

/// The text with its examples in force: lines that begin with # and no blank.
fn with_examples(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(example) if !example.is_empty() && !example.starts_with(' ') => format!("{example}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn all_keys() -> Environment {
    let keys = [
        names::API_KEY,
        names::ADMIN_KEY,
        names::OPENAI_API_KEY,
        names::ANTHROPIC_API_KEY,
        names::GOOGLE_API_KEY,
        names::AZURE_OPENAI_API_KEY,
        "GROQ_API_KEY",
    ];
    // CI_KEY is the one of the example; no two keys of callers may be the same.
    Environment::from_pairs(keys.into_iter().chain(["CI_KEY"]).map(|name| (name, name.to_lowercase())))
}

/// The full names of all settings in a configuration.
fn settings(table: &toml::Table, prefix: &str, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        match value {
            toml::Value::Table(table) => settings(table, &format!("{prefix}{key}."), found),
            _ => _ = found.insert(format!("{prefix}{key}")),
        }
    }
}

#[test]
fn the_example_holds_every_default() {
    let defaults = Config::load(&Sources::default()).unwrap().to_toml().unwrap();
    assert_eq!(load(CONFIG, Environment::default()).to_toml().unwrap(), defaults);

    let (mut expected, mut found) = (BTreeSet::new(), BTreeSet::new());
    settings(&defaults.parse().unwrap(), "", &mut expected);
    settings(&CONFIG.parse().unwrap(), "", &mut found);
    assert_eq!(found, expected, "each setting stands in the example, and nothing else does");
}

#[test]
fn the_examples_in_it_are_valid() {
    let config = load(&with_examples(CONFIG), all_keys());
    let names: Vec<_> = config.keys.accepted.iter().map(|key| key.name().as_str()).collect();
    assert_eq!(names, ["ci", "key-1", "admin-1"]);
    assert_eq!(config.providers.len(), 8);
    assert_eq!(config.routes["planner"].models.len(), 3);
    assert_eq!(config.routes["planner"].retry.max_attempts, 3);
    assert_eq!(config.policies.models.len(), 1);
}

#[test]
fn the_dotenv_names_every_variable_and_no_other() {
    let vendors = Vendor::all().iter().filter(|vendor| vendor.activation != Activation::Named);
    let known: BTreeSet<String> = names::ALL
        .into_iter()
        .chain(vendors.flat_map(Vendor::variables))
        .chain(
            [AwsEnvironment::NAMES, GoogleEnvironment::NAMES]
                .concat()
                .into_iter()
                .filter(|name| *name != "HOME"),
        )
        .map(str::to_owned)
        .chain(task_variables())
        .collect();
    let found: BTreeSet<String> = with_examples(DOTENV)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.to_owned()))
        .collect();
    assert_eq!(found, known);
}

#[test]
fn the_dotenv_holds_defaults() {
    let examples = with_examples(DOTENV);
    let environment = all_keys().with_dotenv_defaults(Path::new(".env"), &examples).unwrap();
    let with = Config::load(&Sources { environment, ..Sources::default() }).unwrap();
    // Open SWE's variables make its tasks routes.
    let without = load("[open_swe]\nenabled = true", all_keys());
    assert_eq!(with.to_toml().unwrap(), without.to_toml().unwrap());
}
