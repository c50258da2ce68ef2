//! Where each value of the effective configuration comes from, for `config print`: a line of the file, a variable, or the
//! default.

use toml::de::{DeTable, DeValue};

use super::{
    Sources,
    context::line_of,
    environment::{Environment, names},
    tasks::task_variables,
};

/// The settings that a variable replaces, or adds to.
const VARIABLES: [(&str, &str, &str); 4] = [
    ("server", "listen", names::LISTEN),
    ("server", "api_keys", names::API_KEY),
    ("server", "admin_keys", names::ADMIN_KEY),
    ("redis", "url", names::REDIS_URL),
];

/// The variables of providers without an entry in the file, the first that is set.
const PROVIDERS: [(&str, &str, &[&str]); 16] = [
    ("openai", "api_key", &[names::OPENAI_API_KEY]),
    ("openai", "base_url", &[names::OPENAI_BASE_URL]),
    ("anthropic", "api_key", &[names::ANTHROPIC_API_KEY]),
    ("anthropic", "base_url", &[names::ANTHROPIC_BASE_URL]),
    ("google-genai", "api_key", &[names::GOOGLE_API_KEY, names::GEMINI_API_KEY]),
    ("google-genai", "base_url", &[names::GOOGLE_GEMINI_BASE_URL]),
    ("bedrock", "api_key", &[names::AWS_BEARER_TOKEN_BEDROCK]),
    ("bedrock", "base_url", &[names::AWS_ENDPOINT_URL_BEDROCK_RUNTIME]),
    ("bedrock", "region", &[names::AWS_REGION, names::AWS_DEFAULT_REGION]),
    ("bedrock", "profile", &["AWS_PROFILE"]),
    ("azure", "api_key", &[names::AZURE_OPENAI_API_KEY]),
    ("azure", "base_url", &[names::AZURE_OPENAI_ENDPOINT]),
    ("azure", "api_version", &[names::AZURE_OPENAI_API_VERSION, names::OPENAI_API_VERSION]),
    ("vertex", "project", &[names::GOOGLE_CLOUD_PROJECT]),
    ("vertex", "location", &[names::GOOGLE_CLOUD_LOCATION]),
    ("vertex", "base_url", &[names::GOOGLE_VERTEX_BASE_URL]),
];

/// The printed configuration with the origin of each value behind it.
pub(super) fn annotate(printed: &str, sources: &Sources) -> String {
    let text = sources.file.as_ref().map_or("", |file| &file.text);
    // What is printed was loaded, so its file is TOML.
    let (tables, _) = DeTable::parse_recoverable(text);
    let origins = Origins { sources, text, tables: tables.get_ref() };
    let mut table = Vec::new();
    let lines = printed.lines().map(|line| {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            table = split_name(name);
            return format!("{line}\n");
        }
        match line.split_once(" = ") {
            Some((key, _)) if !line.starts_with(' ') => format!("{line}  # {}\n", origins.of(&table, key)),
            _ => format!("{line}\n"),
        }
    });
    lines.collect()
}

struct Origins<'a> {
    sources: &'a Sources,
    text: &'a str,
    tables: &'a DeTable<'a>,
}

impl Origins<'_> {
    fn of(&self, table: &[String], key: &str) -> String {
        let variable = self.variable(table, key);
        let path: Vec<&str> = table.iter().map(String::as_str).chain([key]).collect();
        let line = self.line(&path).or_else(|| self.inherited_line(table, key));
        let file = line.zip(self.sources.file.as_ref());
        let file = file.map(|(line, file)| format!("{}:{line}", file.path.display()));
        // A listed key adds to those of the file, any other value replaces the file's.
        match (path.as_slice(), variable, file) {
            (["server", "listen"], ..) if self.sources.listen.is_some() => "--listen".to_owned(),
            (["server", "api_keys" | "admin_keys"], Some(name), Some(file)) => format!("{file}, env {name}"),
            (["server" | "redis", ..], Some(name), _) | (_, Some(name), None) => format!("env {name}"),
            (_, _, Some(file)) => file,
            (_, None, None) => "default".to_owned(),
        }
    }

    /// The variable that the value comes from, if the file does not have it.
    fn variable(&self, table: &[String], key: &str) -> Option<String> {
        let environment = &self.sources.environment;
        let is_set = |name: &&str| environment.get(name).is_some();
        match table {
            [table] if table == "open_swe" => task_variables().find(|name| is_set(&name.as_str())),
            [table] => {
                let found = VARIABLES.iter().find(|(of, name, _)| of == table && *name == key);
                found.map(|(.., name)| *name).filter(is_set).map(str::to_owned)
            }
            [table, provider] if table == "providers" => provider_variable(provider, key, environment),
            [table, task] if table == "routes" && key == "models" => {
                let suffix = format!("_{}_MODEL", task.to_uppercase());
                let mut names = task_variables().filter(|name| name.ends_with(&suffix));
                names.find(|name| is_set(&name.as_str()))
            }
            _ => None,
        }
    }

    /// The line of what the value was taken from: a preset, or the same setting for all routes or models.
    fn inherited_line(&self, table: &[String], key: &str) -> Option<usize> {
        let table: Vec<&str> = table.iter().map(String::as_str).collect();
        match table.as_slice() {
            ["breaker"] => self.line(&["breaker", "preset"]),
            ["models", model, "breaker"] => {
                let own = self.line(&["models", model, "breaker", "preset"]);
                own.or_else(|| self.line(&["breaker", key])).or_else(|| self.line(&["breaker", "preset"]))
            }
            ["routes", _] if key != "models" => self.line(&[key]),
            ["routes", _, settings] => self.line(&[settings, key]),
            _ => None,
        }
    }

    fn line(&self, path: &[&str]) -> Option<usize> {
        let mut table = self.tables;
        let (last, tables) = path.split_last()?;
        for name in tables {
            let (_, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
            let DeValue::Table(inner) = value.get_ref() else { return None };
            table = inner;
        }
        let (key, _) = table.iter().find(|(key, _)| key.get_ref() == last)?;
        Some(line_of(self.text, key.span().start))
    }
}

fn provider_variable(provider: &str, key: &str, environment: &Environment) -> Option<String> {
    let row = PROVIDERS.iter().find(|(name, setting, _)| *name == provider && *setting == key);
    let ours = row.into_iter().flat_map(|(.., names)| names.iter().copied());
    let vendor = providers::Vendor::named(provider).filter(|_| key == "api_key" && row.is_none());
    let vendors = vendor.into_iter().flat_map(providers::Vendor::variables);
    ours.chain(vendors).find(|name| environment.get(name).is_some()).map(str::to_owned)
}

/// The parts of a table's name: `models."openai:gpt-5".breaker`.
fn split_name(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    for letter in name.chars() {
        match letter {
            '"' | '\'' => is_quoted = !is_quoted,
            '.' if !is_quoted => parts.push(String::new()),
            letter => {
                if let Some(part) = parts.last_mut() {
                    part.push(letter);
                }
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Environment, SourceFile, Sources};

    /// The origin of each value by its table and name.
    fn origins(text: &str, variables: &[(&str, &str)]) -> impl Fn(&str, &str) -> String {
        let sources = Sources {
            file: Some(SourceFile { path: "s.toml".into(), text: text.to_owned() }),
            environment: Environment::from_pairs(variables.iter().copied()),
            listen: None,
        };
        let printed = Config::load(&sources).unwrap().to_annotated_toml(&sources).unwrap();
        let again = Sources {
            file: Some(SourceFile { path: "s.toml".into(), text: printed.clone() }),
            ..Sources::default()
        };
        Config::load(&again).unwrap();
        move |table, key| {
            let (_, rest) = printed.split_once(&format!("[{table}]\n")).unwrap_or(("", &printed));
            let line = rest.lines().find(|line| line.starts_with(&format!("{key} = ")));
            let line = line.unwrap_or_else(|| panic!("no {key} in [{table}]: {printed}"));
            line.rsplit_once("# ").unwrap().1.to_owned()
        }
    }

    #[test]
    fn each_value_says_where_it_comes_from() {
        let text = "stream = \"buffer\"\n[server]\napi_keys = [\"a\"]\n[breaker]\npreset = \"open-swe\"\nwindow = \"9s\"\n\
                    [retry]\nmax_attempts = 3\n[redis]\nurl = \"redis://h\"\n[providers.anthropic]\n\
                    api_key = \"${K}\"\n[routes.r]\nmodels = [\"openai:m\"]\n[routes.r.timeouts]\ntotal = \"9s\"\n\
                    [models.\"openai:m\".breaker]\nwindow = \"8s\"\n";
        let variables = [
            ("K", "hush"),
            ("OPENAI_API_KEY", "k"),
            ("GROQ_API_KEY", "k"),
            ("SWITCHBOARD_API_KEY", "b"),
            ("REDIS_URL", "redis://env"),
            ("DEFAULT_ROUTER_MODEL", "openai:m"),
        ];
        let origin = origins(text, &variables);
        for (table, key, expected) in [
            ("", "stream", "s.toml:1"),
            ("", "hedge_after", "default"),
            ("server", "listen", "default"),
            ("server", "api_keys", "s.toml:3, env SWITCHBOARD_API_KEY"),
            ("breaker", "window", "s.toml:6"),
            ("breaker", "failure_threshold", "s.toml:5"),
            ("retry", "max_attempts", "s.toml:8"),
            ("redis", "url", "env REDIS_URL"),
            ("providers.anthropic", "api_key", "s.toml:12"),
            ("providers.anthropic", "base_url", "default"),
            ("providers.openai", "api_key", "env OPENAI_API_KEY"),
            ("providers.groq", "api_key", "env GROQ_API_KEY"),
            ("open_swe", "enabled", "env DEFAULT_ROUTER_MODEL"),
            ("routes.r", "models", "s.toml:14"),
            ("routes.r", "stream", "s.toml:1"),
            ("routes.r.retry", "max_attempts", "s.toml:8"),
            ("routes.r.timeouts", "total", "s.toml:16"),
            ("routes.r.timeouts", "idle", "default"),
            ("routes.router", "models", "env DEFAULT_ROUTER_MODEL"),
            ("routes.planner", "models", "default"),
            ("models.\"openai:m\".breaker", "window", "s.toml:18"),
            ("models.\"openai:m\".breaker", "failure_threshold", "s.toml:5"),
        ] {
            assert_eq!(origin(table, key), expected, "[{table}] {key}");
        }
    }
}
