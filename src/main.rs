//! `liquid-auth-proxy`, the program. All of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    liquid_auth_proxy::cli::main(std::env::args_os())
}
