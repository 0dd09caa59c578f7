"""Where the machines of one run live: namespaces of their own that end with the driver, whatever ends it.

The driver starts itself anew under `unshare`: mounts, processes, the bridge and its cables are gone when its first process
is, also after SIGKILL. What a kernel does not take back by itself, an empty folder and control groups, is
removed at the end, or by the next run, which knows it by a lock nobody holds."""
import contextlib, fcntl, json, os, pathlib, shutil, signal, subprocess, sys, tempfile

from harness import wait_for
from tree import CACHE, run

BRIDGE = "osmoda"
INSIDE = "OSMODA_MACHINES_APART"
GROUPS = "osmoda-machines-"


def enter(prepare):
    """Does `prepare` where there is a network, and returns what it said in namespaces of its own, as their first process."""
    if INSIDE not in os.environ:
        prepared = json.dumps(prepare())
        sys.stdout.flush()
        words = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--net", "--pid", "--ipc", "--propagation", "private", "--fork", "--kill-child=KILL", "--mount-proc", "--"]
        child = subprocess.Popen([*words, sys.executable, *sys.argv], env={**os.environ, INSIDE: prepared})
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both
        signal.signal(signal.SIGTERM, lambda *_: pass_on(child.pid))
        sys.exit(child.wait() % 256)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for command in (["ip", "link", "set", "lo", "up"], ["ip", "link", "add", BRIDGE, "type", "bridge"], ["ip", "link", "set", BRIDGE, "up"]):
        if run(*command).returncode:
            raise RuntimeError(f"{' '.join(command)} failed")
    return json.loads(os.environ[INSIDE])


def pass_on(pid):
    """SIGTERM for the driver inside; unshare itself takes none while it waits."""
    for inner in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(inner), signal.SIGTERM)


@contextlib.contextmanager
def folder(keep=False):
    """The folder of this run, in memory; with `keep` it is on the disk and stays, as target/machine/kept."""
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sweep()
        path = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
        path.chmod(0o755)
        held = open(path / "lock", "w")
        fcntl.flock(held, fcntl.LOCK_EX)
    (path / "nodes").mkdir()
    if not keep:
        run("mount", "-t", "tmpfs", "-o", "mode=755", "osmoda-test", path / "nodes")
    try:
        yield path / "nodes"
    finally:
        run("umount", "-l", path / "nodes")
        if keep:
            shutil.rmtree(CACHE / "kept", ignore_errors=True)
            path.rename(CACHE / "kept")
            print(f"kept: {CACHE / 'kept'}", flush=True)
        clear(path)
        held.close()


def sweep():
    """What a driver left that was killed."""
    for path in CACHE.glob("run-*"):
        with contextlib.suppress(OSError), open(path / "lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            clear(path)


def clear(path):
    """The folder of a run and its control groups, as soon as the last process in them is dead."""
    for top in hierarchies():
        for group in sorted((top / f"{GROUPS}{path.name}").glob("**/"), reverse=True):
            wait_for(f"the end of {group}", lambda: removed(group), 60)
    shutil.rmtree(path, ignore_errors=True)


def removed(group):
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()


def control_groups(path, node):
    """Control groups for one node of a run: two nodes in one would take each other's processes for their own."""
    for top in hierarchies():
        group = top / f"{GROUPS}{path.name}" / node
        group.mkdir(parents=True, exist_ok=True)
        yield group / "cgroup.procs"


def hierarchies():
    """This process's place in the unified hierarchy, and in systemd's own where the host still has that."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    unified = [words[4] for words in mounts if "cgroup2" in words]
    systemd = [words[4] for words in mounts if words[-1].endswith("name=systemd")]
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, kind, place = line.split(":", 2)
        for mount in {"": unified, "name=systemd": systemd}.get(kind, [])[:1]:
            yield pathlib.Path(mount, place.lstrip("/"))
