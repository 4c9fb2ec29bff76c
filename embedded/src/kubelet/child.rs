//! Programs that the kernel kills when this program ends, whatever ends it: those of containers, and installers.

use std::io;
use std::os::unix::process::CommandExt as _;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// First argument of this program when it is to become another program. The next arguments are the ID
/// of the parent process, the program, and the program's arguments.
pub const POD_MODE: &str = "--become-pod";

/// The arguments before the program, for a child of this process.
pub(super) fn mode() -> [String; 2] {
    [POD_MODE.to_owned(), getpid().as_raw_nonzero().to_string()]
}

/// Becomes another program. Returns only if that fails, with the exit code and the reason.
pub fn become_pod(arguments: &[String]) -> (u8, String) {
    let [parent, program, arguments @ ..] = arguments else {
        return (2, format!("{POD_MODE} is only for the cluster itself"));
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return (126, format!("{program}: the kernel refuses the parent-death signal: {error}"));
    }
    // The parent may have ended before the kernel knew that this process has to end with it.
    if getppid().map(|parent| parent.as_raw_nonzero().to_string()).as_ref() != Some(parent) {
        return (126, format!("{program}: the cluster has ended"));
    }
    let error = std::process::Command::new(program).args(arguments).exec();
    let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    (code, format!("{program}: {error}"))
}
