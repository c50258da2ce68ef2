//! `serve --simulate`: simulated providers behind the real gateway, so that everything can be tried without a key.
//!
//! The configuration is a text of its own, in which three providers lead to one simulator in this process. Circuits are in
//! memory: those of simulated models would otherwise be those of the real ones, for everyone on the same Redis.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use simulator::{Behaviour, Settings, Simulator};

use super::Session;
use crate::{
    config::{Environment, SourceFile, Sources, environment::names},
    output::Output,
};

/// The variables that count; those of providers and of Redis do not.
const VARIABLES: [&str; 3] = [names::LISTEN, names::API_KEY, names::ADMIN_KEY];

/// The route to call first, and one whose first model always fails (`simulator::model_names`).
const ROUTES: &str = "\
[routes.assistant]
models = [\"openai:gpt-5.4\", \"anthropic:claude-sonnet-5\", \"google-genai:gemini-3.8-flash\"]
[routes.failover]
models = [\"openai:fault-503\", \"anthropic:claude-sonnet-5\"]
";

/// The providers.
#[derive(Debug)]
pub(super) struct SimulatedProviders {
    simulator: Simulator,
}

impl SimulatedProviders {
    /// Starts them on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be bound, or a file is named, which would not count.
    pub(super) async fn start(session: &Session) -> anyhow::Result<Self> {
        if let Some(path) = &session.config {
            bail!("--simulate has providers and routes of its own: leave out --config {}", path.display());
        }
        let behaviour =
            Behaviour::ok().latency(Duration::from_millis(200)).gap(Duration::from_millis(30)).words(12);
        // Recorded requests would grow without bound.
        let settings =
            Settings { default_behaviour: behaviour, record_requests: false, ..Settings::default() };
        let simulator = Simulator::start_with(settings).await;
        Ok(Self { simulator: simulator.context("cannot listen on 127.0.0.1 for the simulated providers")? })
    }

    /// The configuration: these providers, two routes, and circuits in memory.
    pub(super) fn sources(&self, environment: &Environment, listen: Option<SocketAddr>) -> Sources {
        let providers = [
            ("openai", self.simulator.openai_base_url()),
            ("anthropic", self.simulator.anthropic_base_url()),
            // The same origin; here its path is added automatically.
            ("google-genai", self.simulator.anthropic_base_url()),
        ];
        let providers = providers.map(|(name, base_url)| {
            format!("[providers.{name}]\nbase_url = \"{base_url}\"\napi_key = \"simulated\"\n")
        });
        let text = format!("[redis]\nurl = \"memory:\"\n{}{ROUTES}", providers.concat());
        let variables = VARIABLES.iter().filter_map(|name| Some((*name, environment.get(name)?)));
        Sources {
            file: Some(SourceFile { path: "--simulate".into(), text }),
            environment: Environment::from_pairs(variables),
            listen,
        }
    }

    /// Says what to try, in lines that fit 80 columns.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(super) fn print_introduction(
        output: Output,
        address: SocketAddr,
        has_keys: bool,
    ) -> std::io::Result<()> {
        let key = if has_keys { "\n  -H \"authorization: Bearer $SWITCHBOARD_API_KEY\" \\" } else { "" };
        output.print_line(format_args!(
            "Simulated providers: openai, anthropic, google-genai. No key, no cost; circuits\n\
             are in memory, and switchboard.toml and provider keys are not read.\n\n\
             A call, then one whose first model fails (model \"failover\"):\n\
             \x20 curl http://{address}/v1/chat/completions \\{key}\n\
             \x20 -H 'content-type: application/json' \\\n\
             \x20 -d '{{\"model\":\"assistant\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}]}}'\n\n\
             OpenAI SDK     base_url=\"http://{address}/v1\", api_key=\"unused\"\n\
             Anthropic SDK  base_url=\"http://{address}\", api_key=\"unused\"\n\
             Models         any name; openai:fault-503, openai:fault-cut-after-3,\n\
             \x20              openai:ok-latency-2s, ... show a fault\n\
             Page           http://{address}/dashboard\n"
        ))
    }
}
