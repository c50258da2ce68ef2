//! Every command line of the program is one that it understands.

use clap::Parser as _;
use switchboard::cli::Cli;

use crate::pages::{all, blocks, prose, read};

/// `switchboard …` on a line of a shell block.
#[test]
fn commands_in_the_pages_are_understood() {
    let mut count = 0;
    for page in all() {
        let shell = blocks(&read(&page)).into_iter().filter(|block| block.language == "sh");
        for line in shell.flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>()) {
            let line = line.trim().replace("cargo run --release -- ", "switchboard ");
            let Some(arguments) = line.strip_prefix("switchboard ").filter(|rest| rest.is_ascii()) else {
                continue;
            };
            let arguments = arguments.split(" #").next().unwrap();
            if arguments.contains(['[', '<', '|']) || arguments.contains("KEY") {
                continue;
            }
            // A quoted reason is one word.
            let quoted: Vec<&str> = arguments.split('"').collect();
            let words = quoted.iter().enumerate().flat_map(|(at, part)| {
                let is_quoted = at % 2 == 1;
                let split = part.split_whitespace().filter(move |_| !is_quoted).map(str::to_owned);
                split.chain(is_quoted.then(|| (*part).to_owned()))
            });
            let parsed = Cli::try_parse_from(std::iter::once("switchboard".to_owned()).chain(words));
            assert_understood(&page, &line, parsed);
            count += 1;
        }
    }
    assert!(count >= 30, "{count}");
}

/// Commands within a sentence, as far as they are whole: `switchboard circuits show openai:gpt-5`.
#[test]
fn commands_in_sentences_are_understood() {
    let mut count = 0;
    for page in all() {
        let text = read(&page);
        let sentences = prose(&text).collect::<Vec<_>>().join("\n");
        for span in sentences.split('`').skip(1).step_by(2) {
            let span = span.replace("cargo run --release -- ", "switchboard ");
            if span.starts_with("switchboard ") && !span.contains('\n') {
                let parsed = Cli::try_parse_from(span.split_whitespace());
                assert_understood(&page, &span, parsed);
                count += 1;
            }
        }
    }
    assert!(count >= 10, "{count}");
}

/// `--version` and `--help` are answered by the parser, as errors without a failure.
fn assert_understood(page: &str, line: &str, parsed: Result<Cli, clap::Error>) {
    if let Err(error) = parsed
        && error.exit_code() != 0
    {
        panic!("{page}: {line}: {error}");
    }
}
