//! The program: everything is in the library.

fn main() -> std::process::ExitCode {
    ci_bootstrap::cli::main()
}
