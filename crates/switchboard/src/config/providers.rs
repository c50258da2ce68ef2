//! `[providers.NAME]`, over the providers that the environment defines.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use dialects::Dialect;
use providers::{
    AwsEnvironment, AwsSettings, ForwardError, ForwardedHeader, GoogleSettings, ProviderConfig, ProviderKind,
    profile_region,
};
use secrecy::SecretString;
use url::Url;

use super::{
    base_url::{BaseUrl, parse_base_url},
    context::ParseContext,
    document::{Section, closest_match},
    environment::{Environment, names},
    google::{self, GoogleAccount},
    problem::Location,
    value::quoted_choices,
};

/// The kinds, with the names that Open SWE uses.
pub(super) const KINDS: [(&str, ProviderKind); 5] = [
    ("openai", ProviderKind::OpenAi),
    ("anthropic", ProviderKind::Anthropic),
    ("google-genai", ProviderKind::GoogleGenAi),
    ("bedrock", ProviderKind::Bedrock),
    ("vertex", ProviderKind::Vertex),
];

/// Providers by name; `None`: invalid, and reported.
pub(super) type Providers = BTreeMap<String, Option<ProviderConfig>>;

/// The providers of the file, and those whose standard variables are set. For a provider that is named after its kind,
/// the variables of the kind supply what the file leaves out; the file wins, since it names the account.
///
/// `listen` is the gateway's own address. No provider may have it: requests would loop.
pub(super) fn read_providers(section: &Section<'_>, listen: SocketAddr) -> Providers {
    let context = section.context;
    let in_file = section.subsections().into_iter();
    let mut providers: Providers =
        in_file.map(|(name, section)| (name.to_owned(), read_provider(name, section, listen))).collect();
    for (name, kind) in KINDS {
        if providers.contains_key(name) || !is_configured_by_env(kind, context.environment) {
            continue;
        }
        let account = CloudAccount::default();
        let provider = base_url_from_env(kind, &account, context, listen).map(|base_url| {
            let api_key = api_key_from_env(kind, context.environment);
            let has_key = api_key.is_some();
            let CloudAccount { aws, google } = account;
            ProviderConfig {
                name: name.to_owned(),
                kind,
                aws: aws_settings(kind, aws, &base_url, context.environment),
                google: google_settings(kind, google, has_key, context.environment),
                base_url,
                api_key,
                speaks: None,
                ca_file: None,
                stream_usage: None,
                forward: Vec::new(),
            }
        });
        providers.insert(name.to_owned(), provider);
    }
    providers
}

fn read_provider(name: &str, mut section: Section<'_>, listen: SocketAddr) -> Option<ProviderConfig> {
    if let Some(problem) = name_problem(name) {
        section.context.report_line(section.line, format!("[{}] {problem}", section.name));
    }
    let Some(kind) = read_kind(name, &mut section) else {
        // Read only to report their problems.
        _ = section.value("base_url").map(|value| value.url());
        _ = section.value("api_key").map(|value| value.secret());
        _ = section.value("ca_file").map(|value| value.text());
        _ = section.value("stream_usage").map(|value| value.boolean());
        _ = section.value("region").map(|value| value.text());
        _ = section.value("profile").map(|value| value.text());
        for name in ["project", "location", "credentials"] {
            _ = section.value(name).map(|value| value.text());
        }
        _ = read_forward(&mut section);
        section.report_unknown_keys();
        return None;
    };
    let account = match kind {
        ProviderKind::Bedrock => read_aws_account(&mut section).map(CloudAccount::of_aws),
        ProviderKind::Vertex => GoogleAccount::read(&mut section).map(CloudAccount::of_google),
        _ => Some(CloudAccount::default()),
    };
    let base_url = read_base_url(name, kind, account.as_ref(), &mut section, listen);
    let api_key = read_api_key(name, kind, account.as_ref(), &mut section);
    let speaks = read_speaks(kind, &mut section);
    let ca_file = section.value("ca_file").and_then(|value| value.text()).map(PathBuf::from);
    let mut stream_usage = None;
    section.read_into("stream_usage", &mut stream_usage, |value| value.boolean().map(Some));
    let forward = read_forward(&mut section);
    let environment = section.context.environment;
    section.report_unknown_keys();
    let (base_url, api_key) = (base_url?, api_key?);
    let CloudAccount { aws, google } = account?;
    Some(ProviderConfig {
        name: name.to_owned(),
        kind,
        aws: aws_settings(kind, aws, &base_url, environment),
        google: google_settings(kind, google, api_key.is_some(), environment),
        base_url,
        api_key,
        speaks: speaks?,
        ca_file,
        stream_usage,
        forward: forward?,
    })
}

/// The API formats, by the names that `speaks` has for them.
pub(super) const DIALECTS: [(&str, Dialect); 5] = [
    ("chat", Dialect::OpenAiChat),
    ("responses", Dialect::OpenAiResponses),
    ("anthropic", Dialect::Anthropic),
    ("gemini", Dialect::Gemini),
    ("bedrock-converse", Dialect::BedrockConverse),
];

/// `None`: invalid, and reported. `Some(None)`: those that the kind usually has.
fn read_speaks(kind: ProviderKind, section: &mut Section<'_>) -> Option<Option<Vec<Dialect>>> {
    let Some(value) = section.value("speaks") else { return Some(None) };
    let choices: Vec<_> =
        DIALECTS.into_iter().filter(|(_, dialect)| kind.dialects().contains(dialect)).collect();
    let items = value.array()?;
    if items.is_empty() {
        return value.report(format_args!("is empty, expected {}", quoted_choices(&choices)));
    }
    let mut dialects = Vec::with_capacity(items.len());
    for item in &items {
        let dialect = item.choice(&choices)?;
        if dialects.contains(&dialect) {
            return item.report("stands twice");
        }
        dialects.push(dialect);
    }
    Some(Some(dialects))
}

/// `None`: invalid, and reported.
fn read_forward(section: &mut Section<'_>) -> Option<Vec<ForwardedHeader>> {
    let Some(value) = section.value("forward") else { return Some(Vec::new()) };
    let mut headers = Vec::new();
    for item in &value.array()? {
        let text = item.text()?;
        match text.parse::<ForwardedHeader>() {
            Ok(header) if headers.contains(&header) => return item.report("stands twice"),
            Ok(header) => headers.push(header),
            // Whatever stands there instead of a name is not shown.
            Err(error @ ForwardError::InvalidName) => return item.report(error),
            Err(error) => return item.report(format_args!("is {text:?}, which {error}")),
        }
    }
    Some(headers)
}

fn read_kind(name: &str, section: &mut Section<'_>) -> Option<ProviderKind> {
    let mut kind = KINDS.iter().find(|(kind, _)| *kind == name).map(|(_, kind)| *kind);
    section.read_into("kind", &mut kind, |value| value.choice(&KINDS).map(Some));
    if kind.is_none() && !section.contains_key("kind") {
        section.report("kind", &format!("is missing, expected {}", quoted_choices(&KINDS)));
    }
    kind
}

/// `None`: invalid, and reported.
fn read_base_url(
    name: &str,
    kind: ProviderKind,
    account: Option<&CloudAccount>,
    section: &mut Section<'_>,
    listen: SocketAddr,
) -> Option<Url> {
    let Some(value) = section.value("base_url") else {
        // AWS' variables are about an account, whatever its provider is called here.
        return if is_named_after_kind(name, kind) || is_of_cloud(kind) {
            base_url_from_env(kind, account?, section.context, listen)
        } else {
            default_base_url(kind, account?, section.context)
        };
    };
    match parse_base_url(kind, &value.text()?, listen) {
        Ok(BaseUrl { url, warning }) => {
            if let Some(warning) = warning {
                value.warn(warning);
            }
            Some(url)
        }
        Err(problem) => value.report(problem),
    }
}

/// `None`: invalid, and reported. `Some(None)`: not needed, for a server with its own `base_url`, and for Bedrock and Vertex AI,
/// which have credentials instead.
fn read_api_key(
    name: &str,
    kind: ProviderKind,
    account: Option<&CloudAccount>,
    section: &mut Section<'_>,
) -> Option<Option<SecretString>> {
    if let Some(value) = section.value("api_key") {
        return value.secret().map(Some);
    }
    if kind == ProviderKind::Bedrock {
        // A profile that is named means its credentials.
        let has_profile = account.is_none_or(|account| account.aws.profile.is_some());
        return Some(api_key_from_env(kind, section.context.environment).filter(|_| !has_profile));
    }
    if kind == ProviderKind::Vertex {
        return Some(None);
    }
    let standard_key = || api_key_from_env(kind, section.context.environment);
    let key = is_named_after_kind(name, kind).then(standard_key).flatten();
    if key.is_none() && !section.contains_key("base_url") {
        let variable = key_variables(kind).first().unwrap_or(&"API_KEY");
        let advice = format!("write api_key = \"${{{variable}}}\" and set that variable");
        section.report("api_key", &format!("is missing; {advice}"));
        return None;
    }
    Some(key)
}

/// The variables of a kind belong to the provider that is named after the kind.
fn is_named_after_kind(name: &str, kind: ProviderKind) -> bool {
    KINDS.contains(&(name, kind))
}

/// A provider's name is the part of a model key before the colon, or before the slash in the other spelling.
fn name_problem(name: &str) -> Option<String> {
    let keyed = breaker::ModelKey::new(name, "model");
    if name.contains([':', '/']) || keyed.is_err() {
        return Some(format!(
            "{name:?} is not a valid provider name, expected one without blanks, braces, \":\" or \"/\""
        ));
    }
    None
}

/// The variables for the kind's key; the first that is set wins.
fn key_variables(kind: ProviderKind) -> &'static [&'static str] {
    match kind {
        ProviderKind::OpenAi => &[names::OPENAI_API_KEY],
        ProviderKind::Anthropic => &[names::ANTHROPIC_API_KEY],
        ProviderKind::GoogleGenAi => &[names::GOOGLE_API_KEY, names::GEMINI_API_KEY],
        ProviderKind::Bedrock => &[names::AWS_BEARER_TOKEN_BEDROCK],
        // GOOGLE_API_KEY is google-genai's.
        ProviderKind::Vertex => &[],
    }
}

fn api_key_from_env(kind: ProviderKind, environment: &Environment) -> Option<SecretString> {
    key_variables(kind).iter().find_map(|name| environment.get(name)).map(SecretString::from)
}

fn is_configured_by_env(kind: ProviderKind, environment: &Environment) -> bool {
    let has_credentials = match kind {
        ProviderKind::Bedrock => {
            names::AWS_CREDENTIAL_VARIABLES.iter().any(|name| environment.get(name).is_some())
        }
        ProviderKind::Vertex => google::is_configured_by_env(environment),
        _ => false,
    };
    has_credentials || api_key_from_env(kind, environment).is_some()
}

/// The kind's base URL: its variable, or else the default.
fn base_url_from_env(
    kind: ProviderKind,
    account: &CloudAccount,
    context: &ParseContext<'_>,
    listen: SocketAddr,
) -> Option<Url> {
    let variable = match kind {
        ProviderKind::OpenAi => names::OPENAI_BASE_URL,
        ProviderKind::Anthropic => names::ANTHROPIC_BASE_URL,
        ProviderKind::GoogleGenAi => names::GOOGLE_GEMINI_BASE_URL,
        ProviderKind::Bedrock => names::AWS_ENDPOINT_URL_BEDROCK_RUNTIME,
        ProviderKind::Vertex => names::GOOGLE_VERTEX_BASE_URL,
    };
    let Some(text) = context.environment.get(variable) else {
        return default_base_url(kind, account, context);
    };
    match parse_base_url(kind, text, listen) {
        Ok(BaseUrl { url, warning }) => {
            if let Some(warning) = warning {
                context.warn(Location::Variable(variable.to_owned()), warning);
            }
            Some(url)
        }
        Err(problem) => {
            context.report_variable(variable, problem);
            None
        }
    }
}

fn default_base_url(kind: ProviderKind, account: &CloudAccount, context: &ParseContext<'_>) -> Option<Url> {
    match kind.default_base_url() {
        Some(url) => url.parse().ok(),
        None if kind == ProviderKind::Vertex => account.google.base_url(context),
        None => {
            let region = account.aws.region(&aws_environment(context.environment));
            let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://bedrock-runtime.{region}.{domain}").parse().ok()
        }
    }
}

/// What the file says about the account of a cloud, by which base URL and credentials are found.
#[derive(Default)]
struct CloudAccount {
    aws: AwsAccount,
    google: GoogleAccount,
}

impl CloudAccount {
    fn of_aws(aws: AwsAccount) -> Self {
        Self { aws, ..Self::default() }
    }

    fn of_google(google: GoogleAccount) -> Self {
        Self { google, ..Self::default() }
    }
}

/// Whether its providers are accounts of a cloud: the variable of their base URL holds for all of them, since it is about the
/// network, and the account is the credentials'.
fn is_of_cloud(kind: ProviderKind) -> bool {
    matches!(kind, ProviderKind::Bedrock | ProviderKind::Vertex)
}

/// What the file says about an AWS account.
#[derive(Default)]
struct AwsAccount {
    region: Option<String>,
    profile: Option<String>,
}

impl AwsAccount {
    /// The region that requests go to.
    fn region(&self, environment: &AwsEnvironment) -> String {
        let by_file = || self.region.clone();
        let by_profile = || profile_region(environment, self.profile.as_deref());
        let by_variable = || environment.region().map(str::to_owned);
        // A profile that is named means its region, too.
        let found = match self.profile {
            Some(_) => by_file().or_else(by_profile).or_else(by_variable),
            None => by_file().or_else(by_variable).or_else(by_profile),
        };
        found.unwrap_or_else(|| DEFAULT_REGION.to_owned())
    }
}

/// Where Bedrock is called if nothing names a region.
const DEFAULT_REGION: &str = "us-east-1";

/// `None`: invalid, and reported.
fn read_aws_account(section: &mut Section<'_>) -> Option<AwsAccount> {
    let region = match section.value("region") {
        Some(value) => {
            let region = value.text()?;
            if !is_region(&region) {
                return value.report("is not an AWS region, expected one such as \"us-east-1\"");
            }
            Some(region)
        }
        None => None,
    };
    let profile = match section.value("profile") {
        Some(value) => Some(value.text()?),
        None => None,
    };
    Some(AwsAccount { region, profile })
}

fn is_region(text: &str) -> bool {
    text.contains('-')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The settings of an account; `None`: the kind has none.
fn aws_settings(
    kind: ProviderKind,
    account: AwsAccount,
    base_url: &Url,
    environment: &Environment,
) -> Option<AwsSettings> {
    if kind != ProviderKind::Bedrock {
        return None;
    }
    let environment = aws_environment(environment);
    // A signature is for the region of the host, which AWS' own hosts name.
    let region = account.region.clone().or_else(|| region_of_host(base_url));
    let region = region.unwrap_or_else(|| account.region(&environment));
    Some(AwsSettings { region, profile: account.profile, environment })
}

/// `bedrock-runtime.REGION.amazonaws.com`, with `-fips`, and behind `vpce-….`.
fn region_of_host(url: &Url) -> Option<String> {
    let (_, rest) = url.host_str()?.split_once("bedrock-runtime")?;
    let mut labels = rest.split('.').skip(1);
    let region = labels.next().filter(|region| is_region(region))?;
    labels.any(|label| label == "amazonaws").then(|| region.to_owned())
}

/// The same of Google Cloud.
fn google_settings(
    kind: ProviderKind,
    account: GoogleAccount,
    has_key: bool,
    environment: &Environment,
) -> Option<GoogleSettings> {
    (kind == ProviderKind::Vertex).then(|| account.settings(has_key, environment))
}

fn aws_environment(environment: &Environment) -> AwsEnvironment {
    AwsEnvironment::read(|name| environment.get(name).map(str::to_owned))
}

/// The message for a provider that is not configured.
pub(super) fn missing_provider(name: &str, providers: &Providers) -> String {
    let advice = match KINDS.iter().find(|(kind, _)| *kind == name) {
        Some((_, ProviderKind::Vertex)) => {
            let variables =
                format!("{}=true and {}", names::GOOGLE_GENAI_USE_VERTEXAI, names::GOOGLE_CLOUD_PROJECT);
            format!("set {variables}, or add [providers.{name}]")
        }
        Some((_, kind)) => match key_variables(*kind).first() {
            Some(variable) => format!("set {variable} or add [providers.{name}]"),
            None => format!("add [providers.{name}]"),
        },
        None => format!("add [providers.{name}]"),
    };
    let closest = closest_match(name, providers.keys().map(String::as_str));
    let known = closest
        .map_or_else(|| "none is configured".to_owned(), |known| format!("the nearest name is {known:?}"));
    format!("no such provider: {name:?}; {known}; {advice}")
}
