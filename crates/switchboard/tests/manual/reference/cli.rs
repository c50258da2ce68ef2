//! `docs/reference/cli.md`: the help texts of all commands.

use clap::{Command, CommandFactory as _};
use switchboard::cli::Cli;

use crate::generated::assert_page;

#[test]
fn the_page_has_the_help_of_every_command() {
    let mut command = Cli::command();
    command.build();
    let mut page = String::new();
    push(&command, "switchboard", &mut page);
    assert_page("docs/reference/cli.md", &page);
}

fn push(command: &Command, name: &str, page: &mut String) {
    let help = command.clone().bin_name(name).render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    *page += &format!("## {name}\n\n```text\n{}\n```\n\n", lines.join("\n").trim());
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        push(command, &format!("{name} {}", command.get_name()), page);
    }
}
