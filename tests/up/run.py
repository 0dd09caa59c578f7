#!/usr/bin/env python3
"""run.py BIN_DIR: `osmoda up`, `down` and `status` with the real daemons, and the set-up branches of ./start."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1]))
from harness import Skip, Suite, wait_for
from wire import DEADLINE, call

REPOSITORY = HERE.parents[2]
INSTALLED = HERE.with_name("installed.py")


class Up:
    """`osmoda up` in the foreground, in a session of its own as on a terminal."""

    def __init__(self, osmoda, folder):
        self.osmoda, self.folder, self.socket = osmoda, folder, folder / "run/agentd.sock"
        self.process = subprocess.Popen(
            [osmoda, "up", "--dir", folder], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.said = []
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if line.startswith("  socket"):
                return
        raise RuntimeError(f"ended with {self.process.wait(DEADLINE)} before all was READY: {self.said}")

    def daemon(self):
        """The pid of the one daemon, or None while there is none."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next((int(pid) for pid in children if name_of(pid) == "agentd"), None)

    def machine(self):
        return (self.folder / "state/agentd/machine-id").read_text().strip()

    def left(self):
        """What is still in the run folder."""
        return sorted(path.name for path in (self.folder / "run").iterdir())

    def end(self, number=signal.SIGTERM):
        os.killpg(self.process.pid, number)
        return self.process.wait(DEADLINE)


def name_of(pid):
    """The name of a living process; one that only waits to be reaped has none."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        head, _, tail = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        return None if tail.split()[0] == "Z" else head.partition("(")[2]


def hang(pid):
    """Stops the process as a whole; the same pid."""
    os.kill(pid, signal.SIGSTOP)
    stopped = lambda: pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    wait_for("the process to stop", stopped)
    return pid


def pending(pid, number):
    """Whether the signal was sent and not taken yet."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("ShdPnd"))
    return int(mask, 16) >> (number - 1) & 1


def run(*command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, **options)


@contextlib.contextmanager
def playground(osmoda):
    """Starts instances in a folder of their own; none outlives the block."""
    root, started = pathlib.Path(tempfile.mkdtemp(prefix="osm-", dir="/tmp")), []

    def up(name="a"):
        started.append(Up(osmoda, root / name))
        return started[-1]

    try:
        yield root, up
    finally:
        for instance in started:
            if instance.process.poll() is None:
                instance.end(signal.SIGKILL)
        for folder in root.iterdir():
            run(osmoda, "down", "--dir", folder)
        shutil.rmtree(root)


def life(suite, osmoda):
    with suite.check("up starts agentd, says where it is, and status agrees"), playground(osmoda) as (root, up):
        a = up()
        assert any("agentd" in line and "READY in" in line for line in a.said), a.said
        assert a.said[-1].split() == ["socket", str(a.socket)], a.said
        assert call(a.socket, "GET", "/health").status == 200
        status = run(osmoda, "status", "--dir", a.folder, "--json")
        found = json.loads(status.stdout)
        assert status.returncode == 0 and found["up_pid"] == a.process.pid, found
        assert [d["health"]["status"] for d in found["daemons"]] == ["ok"], found
        assert "agentd" in run(osmoda, "status", "--dir", a.folder).stdout
        lines = (a.folder / "log/agentd.log").read_text().splitlines()
        assert lines and all(json.loads(line) for line in lines), lines
    for number, name in ((signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "a closed terminal")):
        with suite.check(f"{name} leaves no process, socket or lock"), playground(osmoda) as (root, up):
            a = up()
            daemon = a.daemon()
            assert a.end(number) == 0
            assert name_of(daemon) != "agentd" and a.left() == [], a.left()
            assert run(osmoda, "status", "--dir", a.folder).returncode == 1
    with suite.check("down ends it, and has nothing to do the second time"), playground(osmoda) as (root, up):
        a = up()
        daemon = a.daemon()
        down = run(osmoda, "down", "--dir", a.folder)
        assert down.returncode == 0 and "stopped" in down.stdout, down
        assert name_of(daemon) != "agentd" and a.left() == [], a.left()
        assert a.process.wait(DEADLINE) == 0
        again = run(osmoda, "down", "--dir", a.folder)
        assert again.returncode == 0 and "nothing runs" in again.stdout, again
        assert run(osmoda, "down", "--dir", root / "never").returncode == 0 and not (root / "never").exists()
    with suite.check("state outlives down and up"), playground(osmoda) as (root, up):
        a = up()
        machine = a.machine()
        a.end()
        assert up().machine() == machine
    with suite.check("--detach returns when all are healthy and ends with the socket"), playground(osmoda) as (root, up):
        detached = run(osmoda, "up", "--detach", "--dir", root / "a")
        assert detached.returncode == 0, detached
        socket = detached.stdout.splitlines()[-1].split()[-1]
        assert call(socket, "GET", "/health").json["status"] == "ok"
        pid = int((root / "a/run/up.pid").read_text())
        assert os.getsid(pid) == pid, "it left our session"
        assert run(osmoda, "down", "--dir", root / "a").returncode == 0 and name_of(pid) != "osmoda"


def trouble(suite, osmoda):
    with suite.check("a second up says who runs it"), playground(osmoda) as (root, up):
        a = up()
        for extra in ([], ["--detach"]):
            second = run(osmoda, "up", "--dir", a.folder, *extra)
            assert second.returncode == 1 and str(a.process.pid) in second.stderr, second
        assert call(a.socket, "GET", "/health").status == 200
    with suite.check("two folders do not meet"), playground(osmoda) as (root, up):
        a, b = up("a"), up("b")
        assert a.machine() != b.machine() and a.daemon() != b.daemon()
        a.end()
        assert b.daemon() and call(b.socket, "GET", "/health").status == 200
    with suite.check("a killed daemon comes back"), playground(osmoda) as (root, up):
        a = up()
        killed = a.daemon()
        os.kill(killed, signal.SIGKILL)
        wait_for("another agentd", lambda: a.daemon() not in (None, killed))
        answers = lambda: a.socket.exists() and health(a.socket)
        assert wait_for("an answer", answers)["status"] == "ok"
    with suite.check("a second Ctrl-C does not wait for a daemon that hangs"), playground(osmoda) as (root, up):
        a = up()
        hung = hang(a.daemon())
        os.killpg(a.process.pid, signal.SIGINT)
        wait_for("SIGTERM to reach agentd", lambda: pending(hung, signal.SIGTERM))
        assert a.process.poll() is None, "it waits for agentd"
        assert a.end(signal.SIGINT) == 0 and name_of(hung) != "agentd" and a.left() == [], a.left()
    with suite.check("a daemon that hangs is killed at the deadline"), playground(osmoda) as (root, up):
        if os.environ.get("OSMODA_TEST") != "full":
            raise Skip("takes 15 s: OSMODA_TEST=full")
        a = up()
        hung = hang(a.daemon())
        assert run(osmoda, "down", "--dir", a.folder).returncode == 0
        assert name_of(hung) != "agentd" and a.left() == [], a.left()
    with suite.check("kill -9 of up leaves no orphan, and the next up starts"), playground(osmoda) as (root, up):
        a = up()
        daemon, machine = a.daemon(), a.machine()
        os.kill(a.process.pid, signal.SIGKILL)
        a.process.wait(DEADLINE)
        wait_for("agentd to die", lambda: name_of(daemon) != "agentd")
        assert run(osmoda, "down", "--dir", a.folder).returncode == 0, "nothing runs"
        again = up()
        assert again.machine() == machine and health(again.socket)["status"] == "ok"
    with suite.check("a folder too long for its sockets is refused with the remedy"), playground(osmoda) as (root, up):
        fits, long = [root / "x".ljust(length - len(str(root)) - 1, "x") for length in (83, 84)]
        for command in (["up"], ["up", "--detach"], ["down"], ["status"]):
            refused = run(osmoda, *command, "--dir", long)
            assert refused.returncode == 78 and "shorter --dir" in refused.stderr, refused
        assert not long.exists()
        assert health(up(fits.name).socket)["status"] == "ok", "the longest that fits works"
    with suite.check("a wrong configuration is named and not tried again"), playground(osmoda) as (root, up):
        config = root / "a/etc/agentd.json"
        config.parent.mkdir(parents=True)
        config.write_text('{"drain_sex": 1}')
        for extra in ([], ["--detach"]):
            refused = run(osmoda, "up", "--dir", root / "a", *extra)
            assert refused.returncode == 78 and str(config) in refused.stderr and "drain_sex" in refused.stderr, refused
            assert list((root / "a/run").iterdir()) == []
        assert config.read_text() == '{"drain_sex": 1}', "only written when absent"
    with suite.check("a daemon that is not there is named"), playground(osmoda) as (root, up):
        alone = shutil.copy(osmoda, root / "osmoda")
        missing = run(alone, "up", "--dir", root / "a", env={"PATH": str(root)})
        assert missing.returncode == 1 and "agentd" in missing.stderr, missing
        assert list((root / "a/run").iterdir()) == []
        os.remove(alone)


def health(socket):
    with contextlib.suppress(OSError):
        return call(socket, "GET", "/health").json


def installed(suite, bins):
    with suite.check("--system: own users, root's sockets, back after kill -9, nothing left"):
        if os.geteuid() != 0:
            raise Skip("needs root")
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if run(*apart, "true").returncode:
            raise Skip("namespaces are not allowed here")
        inside = run(*apart, sys.executable, INSTALLED, bins)
        assert inside.returncode == 0, (inside.stdout + inside.stderr)[-2000:]
    with suite.check("--system without root says so"):
        if os.geteuid() != 0:
            raise Skip("needs root to become somebody else")
        with tempfile.TemporaryDirectory(prefix="osm-", dir="/tmp") as folder:
            os.chmod(folder, 0o755)
            osmoda = shutil.copy(bins / "osmoda", folder)
            refused = run(osmoda, "up", "--system", user=65534, group=65534, extra_groups=[], cwd="/")
        assert refused.returncode == 1 and "root" in refused.stderr, refused


def set_up(suite):
    """./start on machines that lack something: a PATH with only what is named, and what it does not name is missing."""
    tools = ["bash", "cat", "dirname", "env", "id", "sh", "sort"]

    def dry(folder, *stubs, **scripts):
        for name in (*tools, *stubs):
            (folder / name).symlink_to(shutil.which(name))
        for name, text in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
        environment = {"PATH": str(folder), "HOME": str(folder)}
        return run(REPOSITORY / "start", "--dry-run", "--dir", folder / "osm", env=environment)

    @contextlib.contextmanager
    def folder():
        with tempfile.TemporaryDirectory(prefix="osm-", dir="/tmp") as name:
            yield pathlib.Path(name)
            assert not (pathlib.Path(name) / "osm").exists(), "a dry run does nothing"

    stub = "echo called >&2; exit 1"
    with suite.check("start --dry-run without cargo and compiler names apt's and rustup's steps"), folder() as path:
        steps = dry(path, **{"apt-get": stub, "curl": stub})
        assert steps.returncode == 0 and "called" not in steps.stderr, steps
        text = steps.stderr
        order = ["apt-get -qq update", "install -y --no-install-recommends gcc", "sh.rustup.rs", "+ cargo build", "osmoda up"]
        places = [text.find(part) for part in order]
        assert -1 not in places and places == sorted(places), text
        assert text.index("installing it with rustup") < text.index("+ sh -c "), "it says so first"
    with suite.check("start --dry-run with an old cargo takes a newer toolchain"), folder() as path:
        steps = dry(path, "cc", "setpriv", cargo="echo cargo 1.94.2", rustup=stub)
        assert steps.returncode == 0 and "+ rustup toolchain install stable" in steps.stderr, steps
        assert "sh.rustup.rs" not in steps.stderr and "called" not in steps.stderr, steps
    for version in ("1.95.0", "1.100.1", "2.0.0-nightly"):
        with suite.check(f"start --dry-run with cargo {version} installs nothing"), folder() as path:
            steps = dry(path, "cc", "setpriv", cargo=f"echo 'cargo {version} (abc 2026-01-01)'")
            assert steps.returncode == 0 and "rustup" not in steps.stderr and "apt-get" not in steps.stderr, steps
            assert f"osmoda up --dir {path / 'osm'}" in steps.stderr, steps
    with suite.check("start refuses a program with the feature testing"), folder() as path:
        shutil.copy(REPOSITORY / "start", path)
        shutil.copytree(REPOSITORY / "scripts", path / "scripts")
        program = path / "target/release/osmoda-mesh"
        program.parent.mkdir(parents=True)
        program.write_text("""#!/bin/sh\necho '{"name":"osmoda-mesh","version":"0.1.0","features":["testing"]}'\n""")
        program.chmod(0o755)
        cargo = path / "bin/cargo"
        cargo.parent.mkdir()
        cargo.write_text("#!/bin/sh\necho cargo 9.9.9\n")
        cargo.chmod(0o755)
        refused = run(path / "start", env={"PATH": f"{cargo.parent}:{os.environ['PATH']}", "HOME": str(path)})
        assert refused.returncode == 1 and "osmoda-mesh" in refused.stderr and "testing" in refused.stderr, refused
    with suite.check("start --stop where nothing runs is content"), folder() as path:
        stopped = run(REPOSITORY / "start", "--stop", "--dir", path / "osm")
        assert stopped.returncode == 0, stopped
    with suite.check("start refuses an option it does not know"):
        assert run(REPOSITORY / "start", "--no-such").returncode == 2


def main():
    bins = pathlib.Path(sys.argv[1]).resolve()
    suite = Suite()
    life(suite, bins / "osmoda")
    trouble(suite, bins / "osmoda")
    installed(suite, bins)
    set_up(suite)
    suite.end()


main()
