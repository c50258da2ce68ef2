//! The APIs of the providers: those of the callers, and Amazon Bedrock's two.

use dialects::Dialect;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProviderApi {
    /// The API that callers of this format have.
    Of(Dialect),
    Converse,
    /// Claude by InvokeModel.
    Invoke,
}

impl ProviderApi {
    pub(crate) const BEDROCK: [Self; 2] = [Self::Converse, Self::Invoke];

    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Dialect::ALL.into_iter().map(Self::Of).chain(Self::BEDROCK)
    }

    /// The format of its bodies.
    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Of(format) => format,
            Self::Converse => Dialect::BedrockConverse,
            Self::Invoke => Dialect::Anthropic,
        }
    }

    /// The name of its providers.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Of(format) => format.label(),
            Self::Converse => "bedrock-converse",
            Self::Invoke => "bedrock-invoke",
        }
    }

    pub(crate) const fn is_bedrock(self) -> bool {
        matches!(self, Self::Converse | Self::Invoke)
    }

    /// By its word in the table.
    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        match word {
            "converse" => Ok(Self::Converse),
            "invoke" => Ok(Self::Invoke),
            _ => crate::table::parse_format(word).map(Self::Of),
        }
    }
}
