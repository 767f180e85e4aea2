//! `wavefront completions`: what a shell needs to complete the command line.

use std::io::{self, Write};
use std::process::ExitCode;

use clap_complete::{Shell, generate};

/// Print what a shell needs to complete the command line.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  source <(wavefront completions bash)
  wavefront completions zsh > ~/.zfunc/_wavefront
  wavefront completions fish > ~/.config/fish/completions/wavefront.fish")]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

/// Prints it; `command` is all that the command line may be.
pub(crate) fn run(args: &Args, command: &mut clap::Command) -> ExitCode {
    // Printed in one piece: the generator takes no error for an answer.
    let mut script = Vec::new();
    generate(args.shell, command, "wavefront", &mut script);
    let mut stdout = io::stdout().lock();
    match stdout.write_all(&script).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: cannot print: {error}");
            ExitCode::from(2)
        }
        _ => ExitCode::SUCCESS,
    }
}
