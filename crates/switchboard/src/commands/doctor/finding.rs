//! The result of a check.

use serde::Serialize;

/// The checks, in the order of their dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Check {
    Configuration,
    Providers,
    ProviderAccess,
    Models,
    RedisUrl,
    Deployment,
    Host,
    Port,
    Tls,
    Authentication,
    Server,
    Tracking,
    Scripts,
    Role,
    Persistence,
    Memory,
    Circuits,
    Clock,
}

impl Check {
    pub(super) const ALL: [Self; 18] = [
        Self::Configuration,
        Self::Providers,
        Self::ProviderAccess,
        Self::Models,
        Self::RedisUrl,
        Self::Deployment,
        Self::Host,
        Self::Port,
        Self::Tls,
        Self::Authentication,
        Self::Server,
        Self::Tracking,
        Self::Scripts,
        Self::Role,
        Self::Persistence,
        Self::Memory,
        Self::Circuits,
        Self::Clock,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Providers => "providers",
            Self::ProviderAccess => "provider access",
            Self::Models => "models",
            Self::RedisUrl => "REDIS_URL",
            Self::Deployment => "deployment",
            Self::Host => "host",
            Self::Port => "port",
            Self::Tls => "TLS",
            Self::Authentication => "authentication",
            Self::Server => "server",
            Self::Tracking => "tracking",
            Self::Scripts => "scripts",
            Self::Role => "role",
            Self::Persistence => "persistence",
            Self::Memory => "memory",
            Self::Circuits => "circuits",
            Self::Clock => "clock",
        }
    }
}

/// The verdict of a check; greater is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Nothing to check, or no way to check it.
    Skipped,
    /// No problem found.
    Ok,
    /// It works, but may fail later.
    Warning,
    /// It does not work.
    Failed,
}

impl Verdict {
    /// As a sign, for a line.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Ok => "✓",
            Self::Warning => "!",
            Self::Failed => "✗",
            Self::Skipped => "–",
        }
    }
}

/// The result of a check, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: Check,
    pub(super) verdict: Verdict,
    pub(super) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}
