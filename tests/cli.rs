//! The program as people and pipelines run it: what it prints and how it ends.

#[path = "cli/digest.rs"]
mod digest;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/program.rs"]
mod program;
