//! `docs/reference/configuration.md`: the settings. They are read from `switchboard.example.toml`, which another test
//! (`examples.rs`) compares with what the program reads and with its defaults.

use switchboard::config::environment::names;

use crate::{
    generated::{assert_page, cell},
    pages::read,
};

/// Settings that a variable or an option replaces, or adds to.
const ELSEWHERE: [(&str, &str, &str); 4] = [
    ("server", "listen", names::LISTEN),
    ("server", "api_keys", names::API_KEY),
    ("server", "admin_keys", names::ADMIN_KEY),
    ("redis", "url", names::REDIS_URL),
];

/// A section of the file.
#[derive(Debug, Default)]
struct Section {
    /// Its name, with brackets; empty for the settings before the first section.
    name: String,
    /// Whether it is an example, which the file has behind a `#`.
    is_example: bool,
    /// The sentences before its settings and behind them.
    text: Vec<String>,
    settings: Vec<Setting>,
}

#[derive(Debug)]
struct Setting {
    name: String,
    value: String,
    is_example: bool,
    meaning: String,
}

#[test]
fn the_page_has_every_setting() {
    let sections = sections(&read("switchboard.example.toml"));
    let page: String = sections.iter().map(|section| format_section(section, &sections)).collect();
    assert_page("docs/reference/configuration.md", &page);
}

#[test]
fn every_setting_is_explained() {
    for section in sections(&read("switchboard.example.toml")).iter().filter(|section| !section.is_example) {
        for setting in &section.settings {
            assert!(!setting.meaning.is_empty(), "{}: {}", section.name, setting.name);
        }
    }
}

fn sections(text: &str) -> Vec<Section> {
    // The first paragraph is about the file.
    let (_, text) = text.split_once("\n\n").unwrap();
    let mut sections = vec![Section::default()];
    let mut pending = Vec::new();
    for line in text.lines() {
        let (is_example, code) = match line.strip_prefix('#') {
            Some(code) if !code.starts_with(' ') => (true, code),
            Some(comment) => {
                pending.push(comment.trim().to_owned());
                continue;
            }
            None => (false, line),
        };
        let (code, meaning) = split_comment(code);
        if code.starts_with('[') {
            let mut text = std::mem::take(&mut pending);
            text.extend((!meaning.is_empty()).then_some(meaning));
            sections.push(Section { name: code, is_example, text, settings: Vec::new() });
        } else if let Some((name, value)) = code.split_once(" = ") {
            let section = sections.last_mut().unwrap();
            section.text.append(&mut pending);
            let (name, value) = (name.to_owned(), value.to_owned());
            section.settings.push(Setting { name, value, is_example, meaning });
        } else if line.is_empty() && !sections.last().unwrap().settings.is_empty() {
            sections.last_mut().unwrap().text.append(&mut pending);
        }
    }
    sections.last_mut().unwrap().text.append(&mut pending);
    sections
}

/// What stands before the comment of a line, and the comment.
fn split_comment(line: &str) -> (String, String) {
    let mut is_quoted = false;
    let start = line.char_indices().find_map(|(at, letter)| {
        is_quoted ^= letter == '"';
        (letter == '#' && !is_quoted).then_some(at)
    });
    let (code, comment) = line.split_at(start.unwrap_or(line.len()));
    (code.trim().to_owned(), comment.trim_start_matches('#').trim().to_owned())
}

fn format_section(section: &Section, all: &[Section]) -> String {
    let title = if section.name.is_empty() { "Top level".to_owned() } else { format!("`{}`", section.name) };
    let mut page = format!("## {title}\n\n");
    for line in &section.text {
        // A line of the file, and no sentence.
        let is_code = line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '));
        page += &if is_code { format!("`{line}`\n") } else { format!("{}\n", linked(line)) };
    }
    if !section.text.is_empty() {
        page += "\n";
    }
    let value = if section.is_example { "example" } else { "default" };
    page += &format!("| setting | type | {value} | meaning |\n| --- | --- | --- | --- |\n");
    for setting in &section.settings {
        let Setting { name, value, is_example, meaning } = setting;
        let shown = if *is_example && !section.is_example {
            format!("none; `{value}`")
        } else {
            format!("`{value}`")
        };
        let meaning = if meaning.is_empty() { meaning_elsewhere(name, all) } else { meaning };
        let variable = ELSEWHERE.iter().find(|(of, key, _)| section.name == format!("[{of}]") && name == key);
        let variable = match variable {
            Some((_, _, variable)) if !meaning.contains(variable) => format!(" Also from `{variable}`."),
            _ => String::new(),
        };
        page += &format!("| `{name}` | {} | {} | {}{variable} |\n", kind(value), cell(&shown), cell(meaning));
    }
    page + "\n"
}

/// What the file says of a setting of the same name in another section.
fn meaning_elsewhere<'a>(name: &str, all: &'a [Section]) -> &'a str {
    match name {
        "api_key" => return "The key of the account.",
        "base_url" => return "The address of the API.",
        _ => (),
    }
    let settings = all.iter().flat_map(|section| &section.settings);
    let mut explained = settings.filter(|setting| setting.name == name && !setting.meaning.is_empty());
    &explained.next().unwrap_or_else(|| panic!("{name} is explained nowhere")).meaning
}

/// `docs/x.md` as a link.
fn linked(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        match word.strip_prefix("docs/").and_then(|page| page.split_once(".md")) {
            Some((page, after)) => format!("[{page}](../{page}.md){after}"),
            None => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The type of a value.
fn kind(value: &str) -> &'static str {
    let text = value.trim_matches('"');
    let unit = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    match value {
        _ if value.starts_with("[[") => "list of text and lists",
        _ if value.starts_with('[') => "list of text",
        "true" | "false" => "boolean",
        "\"off\"" => "duration",
        _ if value.starts_with('"') && text.len() > unit.len() && ["ms", "s", "m", "h"].contains(&unit) => {
            "duration"
        }
        _ if value.starts_with('"') => "text",
        _ => "number",
    }
}

#[test]
fn a_file_is_read_by_sections() {
    let text = "# Top.\nstream = \"passthrough\"   # \"a\" or # b.\n\n[server]\nlisten = \"1\" # L.\n# Note.\n\n\
                # One.\n#[keys.ci] # Keys.\n#key = \"${K}\" # The #1.\n";
    let read = sections(&format!("# About.\n\n{text}"));
    let names: Vec<_> = read.iter().map(|section| (section.name.as_str(), section.text.join("|"))).collect();
    assert_eq!(
        names,
        [("", "Top.".to_owned()), ("[server]", "Note.".to_owned()), ("[keys.ci]", "One.|Keys.".to_owned())]
    );
    assert_eq!(read[0].settings[0].meaning, "\"a\" or # b.");
    assert_eq!(
        (kind("\"5s\""), kind("3"), kind("[]"), kind("\"s\"")),
        ("duration", "number", "list of text", "text")
    );
}
