#!/usr/bin/env python3
"""run.py BIN_DIR: every way a state folder can be unusable: a clear code and remedy, degraded not dead, and healed when the cause is gone."""
import contextlib, os, pathlib, shutil, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(pathlib.Path(__file__).parent)]
import damage
import sockets
from damage import newer, overwrite
from harness import Skip, Suite, playground, tmpfs, wait_for
from machine import Machine
from wire import Source

STRANGER = 65500  # a uid that nobody has


def fill(folder):
    with open(folder / "filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return folder / "filler"


def disk_fills_up(machine):
    machine.grown()
    filler = fill(machine.agentd.state)
    wait_for("the disk is full", lambda: machine.append(60_000).status != 200)
    machine.is_degraded("state.full", 507)
    filler.unlink()
    machine.heals()


def disk_is_full_at_start(machine):
    machine.agentd.state.mkdir(exist_ok=True)
    filler = fill(machine.agentd.state)
    machine.agentd.start()
    machine.is_degraded("state.full", 507, reads=False)
    filler.unlink()
    machine.heals()


def remount(path, how):
    subprocess.run(["mount", "-o", f"remount,{how}", str(path)], check=True)


def read_only_at_start(machine):
    machine.grown().stopped()
    remount(machine.agentd.state, "ro")
    machine.agentd.start()
    machine.is_degraded("state.unwritable")
    remount(machine.agentd.state, "rw")
    machine.heals()
    second = subprocess.run([machine.agentd.binary, "--socket", machine.agentd.root / "run/second.sock", "--state-dir", machine.agentd.state], capture_output=True, timeout=20, text=True)
    assert second.returncode == 1 and "in use" in second.stderr, f"a second agentd ran on the state that was read-only at first: {second}"


def damaged(machine, spoil, code="state.corrupt", reads=False):
    machine.grown(200).stopped()
    copy = machine.agentd.root / "copy"
    shutil.copytree(machine.ledger, copy)
    spoil(machine.database)
    changed = machine.database.read_bytes()
    machine.agentd.start()
    machine.is_degraded(code, reads=reads)
    assert machine.database.read_bytes() == changed, "the evidence was changed"
    shutil.copytree(copy, machine.ledger, dirs_exist_ok=True)
    machine.heals()


def newer_but_admits_us(machine):
    machine.grown().stopped()
    newer(1)(machine.database)
    machine.agentd.start()
    assert machine.append().status == 200 and machine.check()["status"] == "ok"


def gone(machine):
    """A ledger that vanishes beside its key and checkpoints is a loss to report, not a reason to begin another one."""
    for vanish in [lambda: machine.database.write_bytes(b""), machine.database.unlink]:
        shutil.rmtree(machine.agentd.state, ignore_errors=True)
        machine.source, machine.acked = Source("watch"), []
        machine.grown().stopped()
        vanish()
        machine.agentd.start()
        machine.is_degraded("state.corrupt", reads=False)
        assert machine.agentd.end() == 0


def foreign(machine):
    """Under a user of its own, on a folder that belongs to root."""
    if os.geteuid() != 0:
        raise Skip("needs root to change users")
    machine.agentd.state.mkdir()
    os.chown(machine.agentd.sock.parent, STRANGER, STRANGER)
    machine.agentd.prefix = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
    machine.agentd.start()
    reply = machine.agentd.call("GET", "/ledger/checkpoint")
    assert (reply.status, reply.code, machine.check()["code"]) == (503, "state.unwritable", "state.unwritable"), reply
    os.chown(machine.agentd.state, STRANGER, STRANGER)
    wait_for("it works again", lambda: machine.agentd.call("GET", "/ledger/checkpoint").status == 200 and machine.check()["status"] == "ok")


def modes(machine):
    machine.grown().stopped()
    for name in ("ledger.db", "signer.key"):
        (machine.ledger / name).chmod(0o666)
    machine.agentd.start()
    assert machine.append().status == 200
    for path in [*machine.ledger.iterdir(), machine.agentd.state / "agentd/state.db"]:
        assert not path.exists() or path.stat().st_mode & 0o077 == 0, f"{path.name} is open to others"


def main(bin_dir):
    suite = Suite()
    ground = [("the disk fills up", disk_fills_up, "4m"), ("the disk is full at start", disk_is_full_at_start, "4m"), ("read-only at start, then second daemon refused", read_only_at_start, "32m")]
    plain = {
        "ledger.db is no database": lambda m: damaged(m, overwrite(0, 4096)), "ledger.db is damaged in the middle": lambda m: damaged(m, overwrite(4096, 1 << 20)), "ledger.db lost its tail": lambda m: damaged(m, lambda d: os.truncate(d, 3 * 4096)),
        "ledger.db is empty or gone beside its key": gone, "ledger.db of a newer release": lambda m: damaged(m, newer(99), "state.newer_schema", reads=True), "ledger.db of a newer release that admits this one": newer_but_admits_us,
        "a state folder of somebody else": foreign, "files open to others are closed": modes,
    }
    with playground() as (root, make):
        for number, (name, test, size) in enumerate(ground):
            with suite.check(name), tmpfs(root / f"g{number}/state", size):
                machine = Machine(make, bin_dir, root / f"g{number}")
                try:
                    test(machine)
                finally:
                    machine.agentd.alive() and machine.agentd.kill()
        for number, (name, test) in enumerate(plain.items()):
            with suite.check(name):
                test(Machine(make, bin_dir, root / f"p{number}"))
        damage.run(suite, make, root, bin_dir)
        sockets.run(suite, root, make, bin_dir)
    suite.end()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
