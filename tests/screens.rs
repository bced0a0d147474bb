//! The screen: every pane and popup at the sizes of design.md §7, as text and as styles; every key in its context; and
//! what must hold whatever happens.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

#[path = "screens/conveyor.rs"]
mod conveyor;
#[path = "screens/filters.rs"]
mod filters;
#[path = "screens/keys.rs"]
mod keys;
#[path = "screens/kit.rs"]
mod kit;
#[path = "screens/layouts.rs"]
mod layouts;
#[path = "screens/panes.rs"]
mod panes;
#[path = "screens/pictures.rs"]
mod pictures;
#[path = "screens/properties.rs"]
mod properties;
mod property;
#[path = "screens/words.rs"]
mod words;
