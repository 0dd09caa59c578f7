//! How a process ended and how a run went, in words.

/// How a unit's main process ended: `code` is waitid(2)'s si_code, `status` its exit status or signal. `None` while
/// it has not.
pub(super) fn exit(code: u64, status: u64) -> Option<String> {
    let signal = || {
        let known =
            SIGNALS.iter().find(|(number, _)| *number == status).map(|(_, name)| format!("SIG{name}"));
        known.unwrap_or_else(|| format!("signal {status}"))
    };
    match code {
        1 => Some(match STATUSES.iter().find(|(number, _)| *number == status) {
            Some((_, meaning)) => format!("exited with status {status} ({meaning})"),
            None => format!("exited with status {status}"),
        }),
        2 => Some(format!("killed by {}", signal())),
        3 => Some(format!("killed by {} with a core dump", signal())),
        _ => None,
    }
}

/// How a run went, from systemd's word in `Result`.
pub(super) fn result(word: &str) -> &str {
    match word {
        "success" => "it ended well",
        "resources" => "systemd could not set it up: a file, a directory or memory was missing",
        "protocol" => "it did not say that it is ready, as its file promises",
        "timeout" => "it took longer than its file allows",
        "exit-code" => "its process ended with a failure",
        "signal" => "its process was killed",
        "core-dump" => "its process crashed",
        "watchdog" => "it stopped answering its watchdog",
        "start-limit-hit" => "it was started too often in a short time; systemd gives it up for now",
        "oom-kill" => "the kernel killed it for lack of memory",
        "exec-condition" => "its ExecCondition= did not hold",
        "condition" => "a condition in its file did not hold",
        other => other,
    }
}

/// Statuses between fork and the program itself (systemd.exec(5), "Process Exit Codes"), and the shell's two.
const STATUSES: &[(u64, &str)] = &[
    (126, "the program cannot be executed"),
    (127, "the program was not found"),
    (200, "its working directory cannot be entered"),
    (202, "its file descriptors could not be set up"),
    (203, "its program cannot be executed: missing, or not executable"),
    (205, "a resource limit could not be set"),
    (208, "its standard input could not be set up"),
    (209, "its standard output could not be set up"),
    (216, "its group is unknown"),
    (217, "its user is unknown"),
    (218, "its capabilities could not be set"),
    (219, "its control group could not be set up"),
    (225, "its network namespace could not be set up"),
    (226, "its mount namespace could not be set up: a path in its file may be missing"),
    (228, "its system call filter could not be set"),
    (231, "its AppArmor profile could not be set"),
    (233, "its runtime directory could not be made"),
    (238, "its state directory could not be made"),
    (239, "its cache directory could not be made"),
    (240, "its logs directory could not be made"),
    (241, "its configuration directory could not be made"),
    (243, "its credentials could not be set up"),
];

/// signal(7), the numbers of x86 and ARM.
const SIGNALS: &[(u64, &str)] = &[
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (10, "USR1"),
    (11, "SEGV"),
    (12, "USR2"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
    (24, "XCPU"),
    (25, "XFSZ"),
    (31, "SYS"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_as_one_would_say_it() {
        assert_eq!(exit(1, 1).unwrap(), "exited with status 1");
        assert_eq!(exit(2, 11).unwrap(), "killed by SIGSEGV");
        assert_eq!(exit(3, 6).unwrap(), "killed by SIGABRT with a core dump");
        assert_eq!(exit(2, 40).unwrap(), "killed by signal 40");
        assert!(exit(1, 203).unwrap().contains("cannot be executed"));
        assert_eq!(exit(0, 0), None);
    }
}
