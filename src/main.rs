//! The program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ci_bootstrap::cli::main()
}
