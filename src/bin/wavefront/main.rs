//! The `wavefront` command: one file a subcommand.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod collect;
mod demo;
mod duration;
mod ending;
mod host;

/// Send telemetry to Wavefront, and see what arrives.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Collect(collect::Args),
    Host(host::Args),
    Demo(demo::Args),
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        // Where and what, for a report; a user is not shown a trace of calls.
        let _ = writeln!(std::io::stderr(), "error: this is a bug in wavefront, please report it: {info}");
    }));
    match Cli::parse().command {
        Command::Collect(args) => collect::run(args),
        Command::Host(args) => host::run(args),
        Command::Demo(args) => demo::run(args),
    }
}
