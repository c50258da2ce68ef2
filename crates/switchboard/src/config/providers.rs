//! `[providers.NAME]`, over the providers that the environment defines.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
};

use dialects::Dialect;
use providers::{
    AwsEnvironment, AwsSettings, ForwardError, ForwardedHeader, GoogleSettings, ProviderConfig, ProviderKind,
    Vendor, profile_region,
};
use secrecy::SecretString;
use url::Url;

use super::{
    api::{Api, expected_kind},
    base_url::{BaseUrl, parse_base_url},
    context::ParseContext,
    document::{Section, closest_match},
    environment::{Environment, names},
    google::GoogleAccount,
    problem::Location,
    value::quoted_choices,
    vendor_url,
};

/// Providers by name; `None`: invalid, and reported.
pub(super) type Providers = BTreeMap<String, Option<ProviderConfig>>;

/// The providers of the file, those whose standard variables are set, and the local servers in `requested`. For a provider that is
/// named after its kind, the variables of the kind supply what the file leaves out; the file wins, since it names the account.
///
/// `listen` is the gateway's own address. No provider may have it: requests would loop.
pub(super) fn read_providers(
    section: &Section<'_>,
    listen: SocketAddr,
    requested: &BTreeSet<&str>,
) -> Providers {
    let context = section.context;
    let in_file = section.subsections().into_iter();
    let mut providers: Providers =
        in_file.map(|(name, section)| (name.to_owned(), read_provider(name, section, listen))).collect();
    for (name, api) in Api::all() {
        let is_meant = requested.contains(name) || api.is_configured_by(context.environment);
        if is_meant && !providers.contains_key(name) {
            providers.insert(name.to_owned(), provider_from_env(name, api, context, listen));
        }
    }
    providers
}

/// The provider that is named after its kind, by variables alone. `None`: invalid, and reported.
fn provider_from_env(
    name: &str,
    api: Api,
    context: &ParseContext<'_>,
    listen: SocketAddr,
) -> Option<ProviderConfig> {
    let account = CloudAccount::default();
    let base_url = base_url_from_env(api, &account, context, listen)?;
    let key = api.key(context.environment);
    if let (Some(_), Some((variable, _)), Some(owner)) = (api.vendor, &key, api.other_owner(&base_url)) {
        let named = api.base_url_variable().unwrap_or(variable);
        context.report_variable(named, format!("is the address of {owner}, which must not get {variable}"));
        return None;
    }
    let CloudAccount { aws, google } = account;
    Some(ProviderConfig {
        vendor: api.vendor,
        api_version: api_version_from_env(api.kind, context),
        aws: aws_settings(api.kind, aws, &base_url, context.environment),
        google: google_settings(api.kind, google, key.is_some(), context.environment),
        api_key: key.map(|(_, key)| key),
        ..ProviderConfig::new(name, api.kind, base_url)
    })
}

fn read_provider(name: &str, mut section: Section<'_>, listen: SocketAddr) -> Option<ProviderConfig> {
    if let Some(problem) = name_problem(name) {
        section.context.report_line(section.line, format!("[{}] {problem}", section.name));
    }
    let Some(api) = read_kind(name, &mut section) else {
        // Read only to report their problems.
        _ = section.value("base_url").map(|value| value.url());
        _ = section.value("api_key").map(|value| value.secret());
        _ = section.value("ca_file").map(|value| value.text());
        _ = section.value("stream_usage").map(|value| value.boolean());
        _ = section.value("region").map(|value| value.text());
        _ = section.value("profile").map(|value| value.text());
        for name in ["api_version", "project", "location", "credentials"] {
            _ = section.value(name).map(|value| value.text());
        }
        _ = read_forward(&mut section);
        section.report_unknown_keys();
        return None;
    };
    let kind = api.kind;
    let account = match kind {
        ProviderKind::Bedrock => read_aws_account(&mut section).map(CloudAccount::of_aws),
        ProviderKind::Vertex => GoogleAccount::read(&mut section).map(CloudAccount::of_google),
        _ => Some(CloudAccount::default()),
    };
    let base_url = read_base_url(name, api, account.as_ref(), &mut section, listen);
    let api_key = read_api_key(name, api, account.as_ref(), base_url.as_ref(), &mut section);
    let api_version = read_api_version(name, api, &mut section);
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
        vendor: api.vendor,
        api_version: api_version?,
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

fn read_kind(name: &str, section: &mut Section<'_>) -> Option<Api> {
    let Some(value) = section.value("kind") else {
        let api = Api::named(name);
        if api.is_none() {
            section.report("kind", &format!("is missing, expected {}", expected_kind(None)));
        }
        return api;
    };
    let written = value.text()?;
    let api = Api::named(&written);
    api.or_else(|| value.report(format_args!("is {written:?}, expected {}", expected_kind(Some(&written)))))
}

/// `None`: invalid, and reported.
fn read_base_url(
    name: &str,
    api: Api,
    account: Option<&CloudAccount>,
    section: &mut Section<'_>,
    listen: SocketAddr,
) -> Option<Url> {
    let Some(value) = section.value("base_url") else {
        // AWS' variables are about an account, whatever its provider is called here.
        let by_variable = api.is_named(name) || is_of_cloud(api.kind);
        if api.kind == ProviderKind::Azure && !(by_variable && has_endpoint(section.context)) {
            section.report(
                "base_url",
                "is missing, expected the endpoint of the resource, such as \"https://NAME.openai.azure.com\"",
            );
            return None;
        }
        return if by_variable {
            base_url_from_env(api, account?, section.context, listen)
        } else {
            default_base_url(api, account?, section.context)
        };
    };
    match parse_base_url(api.kind, &value.text()?, listen) {
        Ok(BaseUrl { url, warning }) => {
            if let Some(warning) = warning {
                value.warn(warning);
            }
            Some(url)
        }
        Err(problem) => value.report(problem),
    }
}

fn has_endpoint(context: &ParseContext<'_>) -> bool {
    context.environment.get(names::AZURE_OPENAI_ENDPOINT).is_some()
}

/// `None`: invalid, and reported. `Some(None)`: not needed, for a server with its own `base_url` or on this machine, and for
/// Bedrock and Vertex AI, which have credentials instead.
fn read_api_key(
    name: &str,
    api: Api,
    account: Option<&CloudAccount>,
    base_url: Option<&Url>,
    section: &mut Section<'_>,
) -> Option<Option<SecretString>> {
    if let Some(value) = section.value("api_key") {
        return value.secret().map(Some);
    }
    let by_variable = || api.key(section.context.environment);
    if api.kind == ProviderKind::Bedrock {
        // A profile that is named means its credentials.
        let has_profile = account.is_none_or(|account| account.aws.profile.is_some());
        return Some(by_variable().map(|(_, key)| key).filter(|_| !has_profile));
    }
    if api.kind == ProviderKind::Vertex {
        return Some(None);
    }
    let key = if api.is_named(name) { by_variable() } else { None };
    let needs_key = !section.contains_key("base_url") && !api.is_local() || api.kind == ProviderKind::Azure;
    // Two variables of one kind belong together; a file's URL and a variable's key may not.
    let is_files_url = section.contains_key("base_url") || api.vendor.is_some();
    let owner = base_url.filter(|_| is_files_url).and_then(|url| api.other_owner(url));
    if let (Some((variable, _)), Some(owner)) = (&key, owner) {
        let message =
            format!("is missing; base_url is the address of {owner}, which does not get {variable}");
        section.report("api_key", &message);
        return None;
    }
    if key.is_none() && needs_key {
        let variable = api.key_variables().first().unwrap_or(&"API_KEY");
        let advice = format!("write api_key = \"${{{variable}}}\" and set that variable");
        section.report("api_key", &format!("is missing; {advice}"));
        return None;
    }
    Some(key.map(|(_, key)| key))
}

/// The words for Azure's API without a date.
const UNDATED: [&str; 3] = ["v1", "preview", "latest"];

/// `None`: invalid, and reported. `Some(None)`: the API without a date.
fn read_api_version(name: &str, api: Api, section: &mut Section<'_>) -> Option<Option<String>> {
    if api.kind != ProviderKind::Azure {
        return Some(None);
    }
    let Some(value) = section.value("api_version") else {
        let by_variable = || api_version_from_env(api.kind, section.context);
        return Some(if api.is_named(name) { by_variable() } else { None });
    };
    let version = value.text()?;
    if UNDATED.contains(&version.as_str()) {
        return Some(None);
    }
    if !is_dated_version(&version) {
        return value
            .report("is no version of Azure's API, expected a date such as \"2024-10-21\", or \"v1\"");
    }
    Some(Some(version))
}

/// The version that a variable names, if it has a date.
fn api_version_from_env(kind: ProviderKind, context: &ParseContext<'_>) -> Option<String> {
    if kind != ProviderKind::Azure {
        return None;
    }
    let variables = [names::AZURE_OPENAI_API_VERSION, names::OPENAI_API_VERSION];
    let (name, version) =
        variables.iter().find_map(|name| Some((name, context.environment.get(name)?.trim())))?;
    if UNDATED.contains(&version) {
        return None;
    }
    if !is_dated_version(version) {
        context
            .report_variable(name, "is no version of Azure's API, expected a date such as 2024-10-21, or v1");
        return None;
    }
    Some(version.to_owned())
}

/// `2024-10-21`, `2024-12-01-preview`.
fn is_dated_version(text: &str) -> bool {
    let date = text.strip_suffix("-preview").unwrap_or(text);
    let is_digit =
        |at: usize, byte: u8| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    date.len() == 10 && date.bytes().enumerate().all(|(at, byte)| is_digit(at, byte))
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

/// The base URL by the variable for it, or else the default. `None`: invalid, and reported.
fn base_url_from_env(
    api: Api,
    account: &CloudAccount,
    context: &ParseContext<'_>,
    listen: SocketAddr,
) -> Option<Url> {
    let set = api.base_url_variable().and_then(|name| Some((name, context.environment.get(name)?)));
    let Some((variable, text)) = set else {
        return default_base_url(api, account, context);
    };
    let complete = |vendor: &Vendor| vendor_url::complete(vendor, text);
    let text = api.vendor.map_or_else(|| text.to_owned(), complete);
    match parse_base_url(api.kind, &text, listen) {
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

fn default_base_url(api: Api, account: &CloudAccount, context: &ParseContext<'_>) -> Option<Url> {
    match api.vendor.map(|vendor| vendor.base_url).or_else(|| api.kind.default_base_url()) {
        Some(url) => url.parse().ok(),
        None if api.kind == ProviderKind::Vertex => account.google.base_url(context),
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
    let advice = Api::advice(name);
    let closest = closest_match(name, providers.keys().map(String::as_str));
    let known = closest
        .map_or_else(|| "none is configured".to_owned(), |known| format!("the nearest name is {known:?}"));
    format!("no such provider: {name:?}; {known}; {advice}")
}
