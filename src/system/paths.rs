//! Paths on disk: [`environment`] reads the variables, [`places`] names the files, [`runtime`] manages the
//! runtime directory, [`replacement`] replaces files atomically.

mod environment;
mod places;
mod replacement;
mod runtime;

pub use self::environment::{
    ASKPASS_HINT, ASKPASS_SOCKET, askpass_hint, askpass_program, askpass_socket, find_program,
    has_runtime_variable, has_ssh_agent, is_executable, is_query_of_ssh_config, lambda_url, login_shell,
    mark_query_of_ssh_config, own_directory, own_program, search_path, service_environment, sibling,
};
pub use self::places::{Paths, SOCKET_PATH_MAX};
pub use self::replacement::{
    create_private, exchange, follow, open_private, read_own, remove, rewrite, write_atomically,
};
