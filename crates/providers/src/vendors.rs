//! The vendors that are known by name. `docs/providers.md` is made from [`table`].

mod table;
mod vendor;

use url::Url;

pub use vendor::{Activation, BaseUrlVariable, KeyCheck, StreamUsage, Vendor, VendorEndpoint};

impl Vendor {
    /// All vendors, sorted by name.
    #[must_use]
    pub fn all() -> &'static [Self] {
        table::VENDORS
    }

    /// The vendor of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|vendor| vendor.name == name)
    }

    /// The vendor that a base URL belongs to. Of two at one host it is the one whose path is longer. A server on this machine
    /// is none: its port may be anyone's.
    #[must_use]
    pub fn of_url(url: &Url) -> Option<&'static Self> {
        let serving = Self::all().iter().filter(|vendor| vendor.activation != Activation::Local);
        serving.filter(|vendor| vendor.serves(url)).max_by_key(|vendor| vendor.base_url.len())
    }
}

#[cfg(test)]
mod tests;
