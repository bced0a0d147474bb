//! QR codes from the outside: pictures that must read, hostile ones that must not do harm, and codes that two
//! independent decoders must read from the cells as a terminal draws them.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails should say where")]

#[path = "qr/cells.rs"]
mod cells;
#[path = "qr/hostile.rs"]
mod hostile;
#[path = "qr/pictures.rs"]
mod pictures;
mod property;
#[path = "qr/samples.rs"]
mod samples;
