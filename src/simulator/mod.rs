//! A gateway over real HTTP.
