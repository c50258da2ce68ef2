//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use dialects::Dialect;

use crate::{
    config::{DurationError, DurationText, parse_listen},
    logging::LogFormat,
    output::ColorChoice,
};

/// An LLM gateway that keeps applications running when models fail; its circuit breakers are shared through Redis
#[derive(Debug, Parser)]
#[command(name = "switchboard", version = env!("SWITCHBOARD_VERSION"), arg_required_else_help = true, after_help = AFTER_HELP)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Configuration file [default: switchboard.toml, if there is one] [env: SWITCHBOARD_CONFIG]
    #[arg(long, value_name = "FILE", global = true, hide_short_help = true)]
    pub config: Option<PathBuf>,
    /// Log format [possible values: text, json] [env: SWITCHBOARD_LOG_FORMAT]
    #[arg(long, value_name = "FORMAT", global = true, hide_possible_values = true, hide_short_help = true)]
    pub log_format: Option<LogFormat>,
    /// When to use colour [possible values: auto, always, never]
    #[arg(
        long,
        value_name = "WHEN",
        global = true,
        hide_possible_values = true,
        hide_short_help = true,
        default_value = "auto"
    )]
    pub color: ColorChoice,
}

const AFTER_HELP: &str = "\
Results go to standard output, the log to standard error; SWITCHBOARD_LOG or RUST_LOG sets the log filter.
Exit codes: 0 success, 1 failure, 2 usage error.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway
    #[command(after_long_help = "Example: switchboard serve --simulate")]
    Serve(ServeArguments),
    /// Simulate a provider outage locally and show failover and recovery
    #[command(after_long_help = "Example: switchboard demo --for 60s")]
    Demo(DemoArguments),
    /// Inspect and control circuit breakers (reads Redis directly)
    #[command(after_long_help = "Example: switchboard circuits show openai:gpt-5.4")]
    Circuits(CircuitsArguments),
    /// Call a model or route once and show each step: the chain, who was skipped and why, who answered
    #[command(after_long_help = "Example: switchboard try assistant \"What is a circuit breaker?\" --stream")]
    Try(TryArguments),
    /// Diagnose configuration, Redis and provider problems
    #[command(after_long_help = "Example: switchboard doctor --json")]
    Doctor(JsonArgument),
    /// List the routes with their chains, and where calls would go now (reads Redis, needs no running gateway)
    #[command(after_long_help = "Example: switchboard routes --json")]
    Routes(JsonArgument),
    /// Check or print the configuration
    #[command(subcommand, after_long_help = "Example: switchboard config check")]
    Config(ConfigCommand),
    /// Print a completion script for a shell
    #[command(after_long_help = "Example: switchboard completions bash > /etc/bash_completion.d/switchboard")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page (roff)
    #[command(after_long_help = "Example: switchboard man | man -l -")]
    Man,
}

/// Arguments of `serve`.
#[derive(Debug, Clone, Copy, Args)]
pub struct ServeArguments {
    /// Address to listen on [default: 127.0.0.1:4100] [env: SWITCHBOARD_LISTEN]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_listen_address)]
    pub listen: Option<SocketAddr>,
    /// Put simulated providers behind the gateway: everything can be tried without a key or a configuration
    #[arg(long)]
    pub simulate: bool,
}

/// Arguments of `demo`.
#[derive(Debug, Clone, Copy, Args)]
pub struct DemoArguments {
    /// Stop after this long [default: run until Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub duration: Option<Duration>,
}

/// Arguments of `try`.
#[derive(Debug, Args)]
pub struct TryArguments {
    /// A route, provider:model, or the bare name of a model
    pub model: String,
    /// What to ask
    #[arg(default_value = "Say hello in one short sentence.")]
    pub prompt: String,
    /// API format to ask in: chat, responses, anthropic or gemini [default: that of the first model]
    #[arg(long, value_name = "FORMAT", value_parser = parse_dialect)]
    pub dialect: Option<Dialect>,
    /// Ask for a stream
    #[arg(long)]
    pub stream: bool,
    /// The output format.
    #[command(flatten)]
    pub json: JsonArgument,
}

/// `--json`.
#[derive(Debug, Clone, Copy, Args)]
pub struct JsonArgument {
    /// Print JSON, for scripts
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `circuits`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct CircuitsArguments {
    /// The subcommand; `list` by default.
    #[command(subcommand)]
    pub command: Option<CircuitsCommand>,
    /// Output format of the list.
    #[command(flatten)]
    pub list: ListArguments,
}

/// `--json` and `--wide`.
#[derive(Debug, Clone, Copy, Args)]
pub struct ListArguments {
    /// The output format.
    #[command(flatten)]
    pub json: JsonArgument,
    /// Print everything in full, wider than the terminal
    #[arg(long)]
    pub wide: bool,
}

impl CircuitsArguments {
    /// The subcommand, or `list` if there is none.
    #[must_use]
    pub fn into_command(self) -> CircuitsCommand {
        self.command.unwrap_or(CircuitsCommand::List(self.list))
    }
}

/// The commands of `circuits`.
#[derive(Debug, Subcommand)]
pub enum CircuitsCommand {
    /// List all circuits: model, state, since when, failures, next probe, reason
    #[command(after_long_help = "Example: switchboard circuits list --wide")]
    List(ListArguments),
    /// Show one circuit in detail
    #[command(after_long_help = "Example: switchboard circuits show openai:gpt-5.4")]
    Show(CircuitArguments),
    /// Show the state transitions of one circuit
    #[command(after_long_help = "Example: switchboard circuits history openai:gpt-5.4")]
    History(HistoryArguments),
    /// Live view of all circuits (q to quit, ? for the other keys); prints transitions when piped
    #[command(after_long_help = "Example: switchboard circuits watch --json | jq .key")]
    Watch(JsonArgument),
    /// Force a circuit open: stop sending requests to the model
    #[command(
        after_long_help = "Example: switchboard circuits open openai:gpt-5.4 --for 10m --reason maintenance"
    )]
    Open(OpenArguments),
    /// Close a circuit: resume sending requests to the model
    #[command(
        after_long_help = "Example: switchboard circuits close openai:gpt-5.4 --reason \"it is healthy\""
    )]
    Close(OperateArguments),
    /// Delete a circuit's state and failure counts
    #[command(after_long_help = "Example: switchboard circuits reset openai:gpt-5.4")]
    Reset(OperateArguments),
}

/// The name of a circuit.
#[derive(Debug, Args)]
pub struct NameArgument {
    /// The circuit, as provider:model, or its model where only one circuit has it
    #[arg(value_name = "CIRCUIT")]
    pub name: String,
}

/// The name of a circuit, and the output format.
#[derive(Debug, Args)]
pub struct CircuitArguments {
    /// The circuit.
    #[command(flatten)]
    pub circuit: NameArgument,
    /// The output format.
    #[command(flatten)]
    pub json: JsonArgument,
}

/// Arguments of `circuits history`.
#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// The circuit.
    #[command(flatten)]
    pub circuit: NameArgument,
    /// The output format.
    #[command(flatten)]
    pub list: ListArguments,
}

/// Arguments of `circuits open`.
#[derive(Debug, Args)]
pub struct OpenArguments {
    /// The circuit.
    #[command(flatten)]
    pub circuit: NameArgument,
    /// How long to keep it open [default: until closed manually]
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Do not ask before opening it without an end
    #[arg(long, short)]
    pub yes: bool,
    /// What the history records.
    #[command(flatten)]
    pub reason: ReasonArgument,
    /// The output format.
    #[command(flatten)]
    pub json: JsonArgument,
}

/// Arguments of `circuits close` and `circuits reset`.
#[derive(Debug, Args)]
pub struct OperateArguments {
    /// The circuit.
    #[command(flatten)]
    pub circuit: NameArgument,
    /// What the history records.
    #[command(flatten)]
    pub reason: ReasonArgument,
    /// The output format.
    #[command(flatten)]
    pub json: JsonArgument,
}

/// `--reason`.
#[derive(Debug, Args)]
pub struct ReasonArgument {
    /// Reason, recorded in the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// The commands of `config`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Validate the configuration and list all problems
    #[command(after_long_help = "Example: switchboard config check --config new.toml")]
    Check(JsonArgument),
    /// Print the effective configuration and where each value comes from, secrets hidden
    #[command(after_long_help = "Example: switchboard config print | grep -v '# default'")]
    Print(JsonArgument),
}

fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    text.parse().map(|DurationText(duration)| duration)
}

fn parse_dialect(text: &str) -> Result<Dialect, &'static str> {
    Dialect::from_word(text).ok_or("expected chat, responses, anthropic or gemini")
}

fn parse_listen_address(text: &str) -> Result<SocketAddr, &'static str> {
    parse_listen(text).ok_or("expected an IP address and a port such as 127.0.0.1:4100")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command)
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn circuits_alone_means_list() {
        for (line, json) in [
            ("switchboard circuits", false),
            ("switchboard circuits --json", true),
            ("switchboard circuits --wide", false),
            ("switchboard circuits list", false),
            ("switchboard circuits list --json", true),
        ] {
            let Ok(Command::Circuits(arguments)) = parse(line) else { panic!("{line}") };
            let CircuitsCommand::List(found) = arguments.into_command() else { panic!("{line}") };
            assert_eq!(found.json.json, json, "{line}");
        }
    }

    #[test]
    fn every_documented_command_parses() {
        for line in [
            "serve --config f.toml --listen 127.0.0.1:1",
            "serve --listen localhost:4100",
            "serve --simulate",
            "demo --for 60s",
            "circuits show openai:gpt-5 --json",
            "circuits history openai:gpt-5",
            "circuits history gpt-5 --wide",
            "circuits watch",
            "circuits open openai:gpt-5 --yes --json",
            "routes",
            "routes --json --color never",
            "circuits open openai:gpt-5 --for 10m --reason upgrade",
            "circuits close openai:gpt-5 --reason done",
            "circuits reset openai:gpt-5 --reason renamed --config f.toml",
            "try planner",
            "try openai:gpt-5 hello --dialect gemini --stream --json",
            "doctor",
            "config check --log-format json",
            "config print --json",
            "completions bash",
            "completions zsh",
            "completions fish",
            "man",
        ] {
            assert!(parse(&format!("switchboard {line}")).is_ok(), "{line}");
        }
    }

    #[test]
    fn wrong_usage_exits_with_2() {
        for line in [
            "",
            "serve --listen here",
            "demo --for 5",
            "doctor --color blue",
            "circuits open",
            "try",
            "try m --dialect x",
            "completions csh",
            "frobnicate",
        ] {
            let error = parse(&format!("switchboard {line}")).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
