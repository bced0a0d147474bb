//! QR codes from the outside: pictures that must read, hostile ones that must not do harm, and codes that two
//! independent decoders must read from the cells as a terminal draws them.

#[path = "qr/cells.rs"]
mod cells;
#[path = "qr/hostile.rs"]
mod hostile;
#[path = "qr/samples.rs"]
mod samples;
