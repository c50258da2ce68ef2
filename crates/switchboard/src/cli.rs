//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use breaker::ModelKey;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use dialects::Dialect;

use crate::{
    config::{DurationError, DurationText, parse_listen},
    logging::LogFormat,
};

/// An LLM gateway that keeps applications running when models fail; its circuit breakers are shared through Redis
#[derive(Debug, Parser)]
#[command(name = "switchboard", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Configuration file [default: switchboard.toml, if there is one] [env: SWITCHBOARD_CONFIG]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Log format [possible values: text, json] [env: SWITCHBOARD_LOG_FORMAT]
    #[arg(long, value_name = "FORMAT", global = true, hide_possible_values = true)]
    pub log_format: Option<LogFormat>,
}

const AFTER_HELP: &str = "\
Results go to standard output, the log to standard error; SWITCHBOARD_LOG or RUST_LOG sets the log filter.
Exit codes: 0 success, 1 failure, 2 usage error.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway
    Serve(ServeArguments),
    /// Simulate a provider outage locally and show failover and recovery
    Demo(DemoArguments),
    /// Inspect and control circuit breakers (reads Redis directly)
    Circuits(CircuitsArguments),
    /// Call a model or route once and show each step: the chain, who was skipped and why, who answered
    Try(TryArguments),
    /// Diagnose configuration, Redis and provider problems
    Doctor(JsonArgument),
    /// Check or print the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page (roff)
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
    pub json: JsonArgument,
}

impl CircuitsArguments {
    /// The subcommand, or `list` if there is none.
    #[must_use]
    pub fn into_command(self) -> CircuitsCommand {
        self.command.unwrap_or(CircuitsCommand::List(self.json))
    }
}

/// The commands of `circuits`.
#[derive(Debug, Subcommand)]
pub enum CircuitsCommand {
    /// List all circuits: model, state, failures, next probe, reason, since
    List(JsonArgument),
    /// Show one circuit in detail
    Show(CircuitArguments),
    /// Show the state transitions of one circuit
    History(CircuitArguments),
    /// Live view of all circuits (q to quit); prints transitions when piped
    Watch(JsonArgument),
    /// Force a circuit open: stop sending requests to the model
    Open(OpenArguments),
    /// Close a circuit: resume sending requests to the model
    Close(OperateArguments),
    /// Delete a circuit's state and failure counts
    Reset(OperateArguments),
}

/// The key of a circuit.
#[derive(Debug, Args)]
pub struct KeyArgument {
    /// The circuit, as provider:model
    #[arg(value_name = "KEY")]
    pub key: ModelKey,
}

/// The key of a circuit, and the output format.
#[derive(Debug, Args)]
pub struct CircuitArguments {
    /// The circuit.
    #[command(flatten)]
    pub key: KeyArgument,
    /// The output format.
    #[command(flatten)]
    pub json: JsonArgument,
}

/// Arguments of `circuits open`.
#[derive(Debug, Args)]
pub struct OpenArguments {
    /// The circuit.
    #[command(flatten)]
    pub key: KeyArgument,
    /// How long to keep it open [default: until closed manually]
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// What the history records.
    #[command(flatten)]
    pub reason: ReasonArgument,
}

/// Arguments of `circuits close` and `circuits reset`.
#[derive(Debug, Args)]
pub struct OperateArguments {
    /// The circuit.
    #[command(flatten)]
    pub key: KeyArgument,
    /// What the history records.
    #[command(flatten)]
    pub reason: ReasonArgument,
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
    Check(JsonArgument),
    /// Print the effective configuration, secrets hidden
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
            ("switchboard circuits list", false),
            ("switchboard circuits list --json", true),
        ] {
            let Ok(Command::Circuits(arguments)) = parse(line) else { panic!("{line}") };
            let CircuitsCommand::List(found) = arguments.into_command() else { panic!("{line}") };
            assert_eq!(found.json, json, "{line}");
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
            "circuits watch",
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
            "circuits show gpt-5",
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
