"""A throw-away machine with install.sh on it: this repository as a git repository to install from, and built programs."""
import contextlib, pathlib, shlex, shutil, subprocess, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/machine")]
import furnish, tree
from container import Container

PROGRAMS = ["agentd", "agentd-root", "agentctl", "osmoda", "osmoda-bridge"]
PACKAGES = ["ca-certificates", "cpio", "git"]
REPOSITORY = "/srv/os-moda"
# As it is run: from a pipe, in a session without a terminal.
GO = f'export OSMODA_REPOSITORY=file://{REPOSITORY}\ncat {REPOSITORY}/scripts/install.sh | setsid -w bash -s -- "$@"\n'
GIT = "git -c user.name=test -c user.email=test@localhost"


def git(folder, *words):
    subprocess.run([*GIT.split(), "-C", folder, *words], check=True, capture_output=True)


def snapshot(folder):
    """What git would commit now, as the only commit of a repository."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            target = pathlib.Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "as it is")


def layer(folder, bins):
    """The files that every machine here has besides its tree."""
    (folder / "srv/programs").mkdir(parents=True)
    for name in PROGRAMS:
        shutil.copy(bins / name, folder / "srv/programs")
    with tempfile.TemporaryDirectory() as scratch:
        snapshot(scratch)
        shutil.copytree(scratch, folder / "srv/os-moda")
    (folder / "srv/os-moda").chmod(0o755)
    furnish.put(folder, "root/go", GO)
    return folder


def stack(suite):
    tree.SUITE = suite
    return tree.stack(PACKAGES)


class Site:
    """The machine, and install.sh in it."""

    def __init__(self, machine):
        self.machine = machine

    def execute(self, script):
        """Status and all that was printed of a script for sh."""
        return self.machine.execute(f"sh -c {shlex.quote(script)} 2>&1", timeout=600)

    def succeed(self, script):
        status, said = self.execute(script)
        assert status == 0, f"{script[:200]}: exit {status}: …{said[-400:]}"
        return said

    def fail(self, script):
        status, said = self.execute(script)
        assert status != 0, f"{script[:200]} succeeded: …{said[-400:]}"

    def write(self, path, text):
        target = self.machine.inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def install(self, words, expect=0, before="", run="sh /root/go"):
        """What install.sh says with these options; `before` is shell text that is run in front of it."""
        status, said = self.execute(f"{before}\n{run} {words}")
        assert status == expect, f"{words}: exit {status}: …{said[-450:]}"
        return said

    def stand_in(self, program, text):
        """A program in /stand-in, which a `before` of PATH_FIRST puts in front of the machine's own."""
        self.write(f"/stand-in/{program}", f"#!/bin/sh\n{text}\n")
        self.succeed(f"chmod +x /stand-in/{program}")

    def release(self, **values):
        self.succeed("rm /etc/os-release")
        self.write("/etc/os-release", "".join(f'{key}="{value}"\n' for key, value in values.items()))


PATH_FIRST = "export PATH=/stand-in:$PATH"


def traces(site):
    """Everything an installation could have left, to be compared: paths and times below the folders it writes."""
    return site.succeed("find /opt /etc /usr/local /var/lib/osmoda /var/tmp -mindepth 1 -printf '%p %T@ %s %M %u\\n' 2>/dev/null | sort; true")


@contextlib.contextmanager
def site(name, folder, lower):
    with Container("node", 1, folder / name, print, lower).mounted() as machine:
        furnish.basics(machine.tree, "node", 1, ["node"])
        try:
            machine.connect()
            machine.execute("systemctl is-system-running --wait")
            yield Site(machine)
        finally:
            machine.crash()
