//! The kernel that runs.

use std::fs;

use osmoda_types::api::agentd::kernel::Kernel;

use super::HostError;

pub(super) fn kernel() -> Result<Kernel, HostError> {
    let read =
        |path: &str| fs::read_to_string(path).map_err(|source| HostError::Read { path: path.into(), source });
    let taint = "/proc/sys/kernel/tainted";
    let name = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    Ok(Kernel {
        release: text(name.release()),
        version: text(name.version()),
        architecture: text(name.machine()),
        os: read("/etc/os-release").ok().as_deref().and_then(pretty_name),
        command_line: read("/proc/cmdline")?.trim_end().to_owned(),
        tainted: read(taint)?.trim().parse().map_err(|_| HostError::Shape { path: taint.into() })?,
        modules: read("/proc/modules").ok().as_deref().map(modules),
    })
}

/// `PRETTY_NAME="…"` of os-release(5).
fn pretty_name(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

/// The first word of each line.
fn modules(text: &str) -> Vec<String> {
    let mut names: Vec<String> =
        text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_its_name() {
        let kernel = kernel().unwrap();
        assert_eq!(kernel.release, fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim());
        assert_eq!(pretty_name("ID=x\nPRETTY_NAME=\"NixOS 26.05\"\n").as_deref(), Some("NixOS 26.05"));
        assert_eq!(modules("veth 1 0\nbridge 2 1\n"), ["bridge", "veth"]);
    }
}
