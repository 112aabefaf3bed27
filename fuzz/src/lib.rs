//! What every fuzz target asks of its parser.

pub mod checks;
