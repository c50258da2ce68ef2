//! Fuzz targets for everything that is read from outside.

mod cuts;
mod dictionary;
mod execution;
mod features;
mod json_law;
mod minimize;
mod mutate;
mod mutate_json;
mod recordings;
mod runner;
mod target;
mod targets;

pub use execution::{Cost, Violation, silence_panics};
pub use features::{FeatureSet, Features};
pub use recordings::MORE_RECORDINGS;
pub use runner::{Fault, Settings, Summary, run, run_once};
pub use target::{Memory, Target};
pub use targets::TARGETS;
