//! Modules → cells.
