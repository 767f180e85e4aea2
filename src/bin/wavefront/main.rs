//! The `wavefront` command: one file a subcommand, and beside them what they are made of.

// A program, not a part of the core.
#![allow(clippy::std_instead_of_core)]

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

mod check;
mod collect;
mod completions;
mod demo;
mod duration;
mod feed;
mod host;
mod json;
mod record;
mod secrets;
mod send;
mod several;
mod shown;
mod signals;
mod size;
mod spool;
mod summary;
mod tags;
mod watch;

/// Send telemetry to Wavefront, and see what arrives.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Send(send::Args),
    Check(check::Args),
    Collect(collect::Args),
    Host(host::Args),
    Demo(demo::Args),
    Completions(completions::Args),
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        // Where and what, for a report; a user is not shown a trace of calls.
        let what = info.to_string().replace('\n', " ");
        let _ = writeln!(std::io::stderr(), "error: this is a bug in wavefront, please report it: {what}");
    }));
    match Cli::try_parse() {
        Ok(Cli { command: Command::Send(args) }) => send::run(args),
        Ok(Cli { command: Command::Check(args) }) => check::run(args),
        Ok(Cli { command: Command::Collect(args) }) => collect::run(args),
        Ok(Cli { command: Command::Host(args) }) => host::run(args),
        Ok(Cli { command: Command::Demo(args) }) => demo::run(args),
        Ok(Cli { command: Command::Completions(args) }) => completions::run(&args, &mut Cli::command()),
        Err(error) => usage(&error),
    }
}

/// Help goes to standard output; what is wrong with a command line goes to standard error, without its secrets.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let _ = std::io::stderr().write_all(secrets::redacted(&error.render().to_string()).as_bytes());
    ExitCode::from(2)
}
