//! The Spanish pages say as much as the English ones.

use crate::pages::{Block, blocks, prose, read};

/// A page, and the one that it translates.
const TRANSLATIONS: [(&str, &str); 1] = [("docs/es/redis.md", "docs/redis.md")];

/// Headings, rows of tables and items of lists, in their order.
fn outline(page: &str) -> Vec<String> {
    let text = read(page);
    let kind = |line: &str| match line {
        _ if line.starts_with('#') => line.split(' ').next().unwrap().to_owned(),
        _ => line[..1].to_owned(),
    };
    prose(&text).filter(|line| line.starts_with(['#', '|', '-'])).map(kind).collect()
}

/// A translation that lacks a section or has an older command is noticed.
#[test]
fn a_translation_has_the_same_outline_and_code() {
    for (spanish, english) in TRANSLATIONS {
        assert_eq!(blocks(&read(spanish)), blocks(&read(english)), "{spanish}");
        assert_eq!(outline(spanish), outline(english), "{spanish}");
    }
}

/// What a reader of the first Spanish page types is what the compose file has.
#[test]
fn the_first_spanish_page_has_its_commands() {
    let code: String =
        blocks(&read("docs/es/empezar.md")).into_iter().map(|Block { text, .. }| text).collect();
    for command in [
        "docker compose up -d redis",
        "docker ps",
        "docker logs",
        "open-swe-redis",
        "redis-cli KEYS 'circuit_breaker:*'",
        "switchboard serve",
        "switchboard doctor",
        "REDIS_URL=",
    ] {
        assert!(code.contains(command), "{command}");
    }
}
