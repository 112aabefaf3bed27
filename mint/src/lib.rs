//! Bundle to token.
