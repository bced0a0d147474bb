//! Picture → payload.
