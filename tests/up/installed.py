"""installed.py BIN_DIR: `osmoda up --system`, run as the first process of its own mount and process namespace."""
import contextlib
import grp
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import privileged
from harness import wait_for
from wire import call

RUN, STATE = pathlib.Path("/run/osmoda"), pathlib.Path("/var/lib/osmoda")
SOCKET = RUN / "agentd.sock"


def throw_away():
    """Everything written from here on is gone with this process."""
    mount = lambda *options: subprocess.run(["mount", *options], check=True)
    mount("--make-rprivate", "/")
    layers = pathlib.Path(tempfile.gettempdir())
    mount("-t", "tmpfs", "osmoda-test", layers)
    for name in ("etc", "srv", "var"):
        upper, work = layers / name, layers / f"{name}.work"
        upper.mkdir()
        work.mkdir()
        mount("-t", "overlay", "-o", f"lowerdir=/{name},upperdir={upper},workdir={work}", "osmoda-test", f"/{name}")
    mount("-t", "tmpfs", "osmoda-test", "/run")


def osmoda(*arguments):
    command = [*PROGRAM, *arguments, "--system"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


def processes():
    """Every other process here that is no zombie, by name."""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
            if int(folder.name) != os.getpid() and not status["State"].startswith("Z"):
                found[status["Name"]] = status | {"pid": int(folder.name)}
    return found


def reach(uid, groups):
    """Whether somebody with these numbers may connect."""
    child = os.fork()
    if child == 0:
        os.setgroups(groups)
        os.setresgid(65534, 65534, 65534)
        os.setresuid(uid, uid, uid)
        try:
            os._exit(0 if call(SOCKET, "GET", "/health").status == 200 else 2)
        except PermissionError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def owner(path):
    found = path.stat()
    return pwd.getpwuid(found.st_uid).pw_name, grp.getgrgid(found.st_gid).gr_name, oct(found.st_mode & 0o7777)


SEED = r"""
curl -s --unix-socket /run/osmoda/agentd.sock http://l/health | jq
curl -s --unix-socket /run/osmoda/agentd.sock 'http://l/events/log?limit=20' | jq
curl -s --unix-socket /run/osmoda/agentd.sock http://l/events/log?limit=5 | jq
curl -s --unix-socket /run/osmoda/agentd.sock -X POST http://l/system/query -H "Content-Type: application/json" -d '{"query":"processes","args":{"sort":"cpu","limit":10}}'
curl -s --unix-socket /run/osmoda/agentd.sock http://l/system/discover
agentctl verify-ledger
"""


def as_the_reference_says(bins):
    """The commands of the reference description for what exists, to the letter."""
    for line in SEED.strip().splitlines():
        done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "PATH": f"{bins}:{os.environ['PATH']}"})
        assert done.returncode == 0 and done.stdout and '"code"' not in done.stdout, (line, done)


def main():
    bins = pathlib.Path("/run/closed")
    bins.mkdir(mode=0o700)  # as in root's home: the daemons' users cannot reach it
    for name in ("osmoda", "agentd", "agentd-root", "agentctl"):
        shutil.copy(SOURCE / name, bins)
    PROGRAM.append(str(bins / "osmoda"))

    said = osmoda("up", "--detach")
    assert said.splitlines()[-1].split() == ["socket", str(SOCKET)], said
    daemon = processes()["agentd"]
    user = pwd.getpwnam("osmoda-agentd")
    group = grp.getgrnam("osmoda").gr_gid
    grp.getgrnam("osmoda-operator")
    assert daemon["Uid"].split() == [str(user.pw_uid)] * 4 and daemon["Gid"].split() == [str(user.pw_gid)] * 4, daemon
    assert str(group) in daemon["Groups"].split() and len(daemon["Groups"].split()) <= 2 and daemon["NoNewPrivs"] == "1", daemon
    assert int(daemon["CapEff"], 16) == int(daemon["CapPrm"], 16) == 0, daemon
    assert owner(SOCKET) == ("root", "osmoda", "0o660"), owner(SOCKET)
    assert owner(RUN) == ("root", "osmoda", "0o755") and owner(STATE) == ("root", "root", "0o755"), owner(RUN)
    for name in ("ledger", "agentd", "secrets"):
        assert owner(STATE / name) == ("osmoda-agentd", "osmoda-agentd", "0o700"), owner(STATE / name)
    assert reach(65533, [group]) == 0 and reach(65533, []) == 1, "the group may connect, others may not"

    as_the_reference_says(bins)
    privileged.check(processes, owner)
    made = SOCKET.stat().st_ino
    os.kill(daemon["pid"], signal.SIGKILL)
    wait_for("its end", lambda: processes().get("agentd", {}).get("pid") != daemon["pid"])
    assert call(SOCKET, "GET", "/health").status == 200, "a call waits for the next agentd on the same socket"
    assert SOCKET.stat().st_ino == made

    os.kill(processes()["osmoda"]["pid"], signal.SIGKILL)
    wait_for("no orphan", lambda: not processes())
    osmoda("up", "--detach")
    assert call(SOCKET, "GET", "/health").status == 200
    osmoda("status")
    osmoda("down")
    wait_for("no process", lambda: not processes())
    assert list(RUN.iterdir()) == [], list(RUN.iterdir())


if __name__ == "__main__":
    SOURCE = pathlib.Path(sys.argv[1]).resolve()
    held = os.open(SOURCE, os.O_PATH)  # it may be below a folder that is about to be covered
    PROGRAM = []
    throw_away()
    SOURCE = pathlib.Path(f"/proc/self/fd/{held}")
    main()
