//! Settings and where they came from: flags beat the environment, the environment beats the file (design.md §6).

pub mod alerts;
pub mod command;
pub mod credentials;
pub mod duration;
pub mod edit;
pub mod env;
pub mod error;
pub mod file;
pub mod keymap;
pub mod listen;
pub mod load;
pub mod notify;
pub mod paths;
pub mod profile;
pub mod qr_layout;
pub mod source;
pub mod theme;
mod trust;

pub use alerts::Alerts;
pub use credentials::Credentials;
pub use env::Env;
pub use error::Error;
pub use listen::Listen;
pub use load::{Config, Overrides, Ui, Watch};
pub use notify::Notify;
pub use paths::Paths;
pub use profile::Profile;
pub use qr_layout::QrLayout;
pub use source::{Origin, Sourced};
