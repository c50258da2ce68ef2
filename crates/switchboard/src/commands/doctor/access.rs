//! The check of the way to each provider: host, port, proxy, TLS, and whether it accepts the key.

use futures_util::future::join_all;
use providers::{Access, ConnectCause, Provider, ProviderConfig, ProviderErrorKind, ProviderKind};

use super::{
    diagnosis::Diagnosis,
    finding::{Check, Verdict},
    network::CHECK_TIMEOUT,
};
use crate::{commands::Session, config::Config};

/// What was found about one provider.
struct ProviderFinding {
    verdict: Verdict,
    found: String,
    advice: Option<String>,
}

/// Asks every provider, each with a line of its own, for the list of its models, or what else costs no tokens there.
pub(super) async fn check(session: &Session, diagnosis: &mut Diagnosis) {
    let Ok(sources) = session.sources(None) else {
        return diagnosis.skip(Check::ProviderAccess, "needs a valid configuration");
    };
    let Ok(config) = Config::load(&sources) else {
        return diagnosis.skip(Check::ProviderAccess, "needs a valid configuration");
    };
    if config.providers.is_empty() {
        return diagnosis.skip(Check::ProviderAccess, "no provider is configured");
    }
    for finding in join_all(config.providers.into_iter().map(check_provider)).await {
        let ProviderFinding { verdict, found, advice } = finding;
        let advice = advice.unwrap_or_default();
        match verdict {
            Verdict::Failed => diagnosis.fail(Check::ProviderAccess, found, advice),
            Verdict::Warning => diagnosis.warn(Check::ProviderAccess, found, advice),
            _ => diagnosis.ok(Check::ProviderAccess, found),
        }
    }
}

/// What a token may lack.
const VERTEX_ADVICE: &str = "check that the account has aiplatform.endpoints.predict in the project (role Vertex AI User), and \
                             that the project's Vertex AI API is enabled";

async fn check_provider(config: ProviderConfig) -> ProviderFinding {
    let (name, kind, has_key) = (config.name.clone(), config.kind, config.api_key.is_some());
    let failed = |found: String, advice: String| ProviderFinding {
        verdict: Verdict::Failed,
        found: format!("{name}: {found}"),
        advice: Some(advice),
    };
    let provider = match Provider::new(config, CHECK_TIMEOUT) {
        Ok(provider) => provider,
        Err(error) => {
            return failed(error.to_string(), "fix it; a provider like this stops `serve`".to_owned());
        }
    };
    match provider.check_access(2 * CHECK_TIMEOUT).await {
        Ok(Access { status, is_refused: true, credentials, clock_problem, .. }) => {
            let status = status.as_u16();
            match (credentials, clock_problem) {
                (Some(_), Some(problem)) => {
                    failed(format!("it rejects the signature (HTTP {status})"), problem)
                }
                (Some(source), None) => {
                    let (proof, advice) = match kind {
                        ProviderKind::Vertex => ("token", VERTEX_ADVICE),
                        _ => ("signature", "check the AWS credentials, and the region"),
                    };
                    failed(
                        format!("it rejects the {proof} (HTTP {status}; credentials: {source})"),
                        advice.to_owned(),
                    )
                }
                (None, _) => failed(
                    format!("it rejects the key (HTTP {status})"),
                    format!("check api_key of [providers.{name}]"),
                ),
            }
        }
        Ok(Access { status, is_key_checked, credentials, .. }) => {
            let key = match (status.is_success(), has_key, credentials) {
                (_, _, Some(source)) => format!("; credentials: {source}"),
                (true, true, None) if !is_key_checked => "; this says nothing about the key".to_owned(),
                (true, true, None) => ", key accepted".to_owned(),
                (true, false, None) => String::new(),
                (false, _, None) => ", but it lists no models".to_owned(),
            };
            let found = format!("{name}: reached (HTTP {}{key})", status.as_u16());
            ProviderFinding { verdict: Verdict::Ok, found, advice: None }
        }
        Err(error) if error.kind == ProviderErrorKind::Credentials => failed(
            error.to_string(),
            match kind {
                ProviderKind::Vertex => {
                    format!("correct the Google credentials of [providers.{name}], or set its api_key")
                }
                _ => format!(
                    "correct the AWS credentials of [providers.{name}], or set AWS_BEARER_TOKEN_BEDROCK"
                ),
            },
        ),
        // Its models are passed over, and calls may have others.
        Err(error) => ProviderFinding {
            verdict: Verdict::Warning,
            found: format!("{name}: {error}"),
            advice: Some(advice(error.kind, &name)),
        },
    }
}

fn advice(kind: ProviderErrorKind, name: &str) -> String {
    let ProviderErrorKind::Connection(cause) = kind else {
        return format!("check that base_url of [providers.{name}] is the API of a provider");
    };
    match cause {
        ConnectCause::HostUnknown => {
            format!("check base_url of [providers.{name}], and this machine's name servers")
        }
        ConnectCause::Refused => {
            format!("check the port in base_url of [providers.{name}], and that it runs")
        }
        ConnectCause::Unreachable | ConnectCause::Timeout => {
            "check this machine's network and firewalls; behind a proxy set HTTPS_PROXY".to_owned()
        }
        ConnectCause::Tls => {
            format!(
                "correct base_url of [providers.{name}] or the server's certificate; an authority of your own is \
                 trusted by ca_file or SSL_CERT_FILE"
            )
        }
        ConnectCause::Proxy => "check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY".to_owned(),
    }
}
