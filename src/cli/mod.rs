//! The command line: one file per command. The only place that prints, ends the program or uses `anyhow`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

mod admission;
mod apply;
mod backup;
mod check;
mod completions;
#[cfg(test)]
mod documented;
mod exit;
mod export;
mod init;
mod inventory_file;
mod jenkins;
mod kubeconfig;
mod man;
mod origin;
mod output;
mod plan;
mod plugins;
mod preflight;
mod renew;
mod reset;
mod restore;
mod restore_home;
mod run;
mod schema;
mod screen;
mod session;
mod status;
mod table;
mod timers;
mod trust;
mod verify;

pub use exit::{CommandFailure, Exit, OrExit};
pub use inventory_file::load;

/// Turns bare Linux hosts into a working CI system, over SSH.
#[derive(Debug, Parser)]
#[command(name = "ci-bootstrap", version, after_help = exit::HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Colours: auto, always or never.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    color: Color,
}

/// In the order in which a newcomer needs them.
#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Check(check::Args),
    Trust(trust::Args),
    Preflight(preflight::Args),
    Plan(plan::Args),
    Apply(apply::Args),
    Verify(verify::Args),
    Status(status::Args),
    Jenkins(jenkins::Args),
    Plugins(plugins::Args),
    Backup(backup::Args),
    Renew(renew::Args),
    Reset(reset::Args),
    Kubeconfig(kubeconfig::Args),
    Export(export::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl From<Color> for anstream::ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// Runs the command of the process's arguments.
pub fn main() -> ExitCode {
    // What the program stumbles over may be a text of a host: it passes the screen like all others.
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(screen::stderr(), "{panic}");
    }));
    run(std::env::args_os()).into()
}

/// Asks a person for a line.
fn ask(question: &str) -> Result<String, CommandFailure> {
    write!(screen::stderr(), "{question}")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// Asks a person; only `y` and `yes` mean yes.
fn agreed(question: &str) -> Result<bool, CommandFailure> {
    Ok(matches!(ask(question)?.to_lowercase().as_str(), "y" | "yes"))
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(message) => {
            let help = !message.use_stderr();
            // Nobody is left to tell that the message can't be printed.
            let _ = message.print();
            return if help { Exit::Done } else { Exit::Usage };
        }
    };
    anstream::ColorChoice::write_global(cli.color.into());
    let result = match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Jenkins(args) => jenkins::run(&args),
        Command::Plugins(args) => plugins::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Renew(args) => renew::run(&args),
        Command::Reset(args) => reset::run(&args),
        Command::Trust(args) => trust::run(&args),
        Command::Kubeconfig(args) => kubeconfig::run(&args),
        Command::Preflight(args) => preflight::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Apply(args) => apply::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    result.unwrap_or_else(|failure| {
        let _ = writeln!(screen::stderr(), "error: {:#}", failure.error);
        failure.exit
    })
}
