//! `switchboard completions` and `switchboard man`: what packages install beside the program.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Session;
use crate::cli::Cli;

/// Prints a completion script.
///
/// # Errors
/// When standard output cannot be written.
pub fn completions(session: &Session, shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    print(session, script)
}

/// Prints the manual page: the program, then a section for each of its commands.
///
/// # Errors
/// When standard output cannot be written.
pub fn man(session: &Session) -> anyhow::Result<ExitCode> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_options_section(&mut page)?;
    render_subcommands(&command, command.get_name(), &mut page)?;
    man.render_extra_section(&mut page)?;
    print(session, page)
}

/// The options of each command under its full name, such as `switchboard circuits open`.
fn render_subcommands(command: &clap::Command, path: &str, page: &mut Vec<u8>) -> anyhow::Result<()> {
    let documented = |command: &&clap::Command| command.get_name() != "help" && !command.is_hide_set();
    for subcommand in command.get_subcommands().filter(documented) {
        let path = format!("{path} {}", subcommand.get_name());
        let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
        page.extend_from_slice(format!(".SH {}\n{}\n", path.to_uppercase(), escape(&about)).as_bytes());
        let man = clap_mangen::Man::new(subcommand.clone());
        let mut options = Vec::new();
        man.render_synopsis_section(&mut options)?;
        man.render_options_section(&mut options)?;
        // Sections of the page of a command are parts of a section here.
        page.extend_from_slice(String::from_utf8(options)?.replace(".SH ", ".SS ").as_bytes());
        render_subcommands(subcommand, &path, page)?;
    }
    Ok(())
}

/// A text as roff: a line must not begin with a dot, and a hyphen is one that can be copied.
fn escape(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('-', "\\-");
    if escaped.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped }
}

fn print(session: &Session, text: Vec<u8>) -> anyhow::Result<ExitCode> {
    let text = String::from_utf8(text).context("the generated text is not UTF-8")?;
    session.output.print_text(text)?;
    Ok(ExitCode::SUCCESS)
}
