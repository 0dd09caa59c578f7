"""The driver itself is ended, in each way there is, while its nodes run: nothing of it may stay."""
import os, pathlib, signal, subprocess, sys

from harness import wait_for

import stage
from tree import CACHE

RUN = pathlib.Path(__file__).resolve().parent / "run.py"
PATIENCE = 120.0


class Cleanup:
    name, needs, packages, nodes, full = "driver-ends", "", (), {}, False

    def __init__(self, bins):
        self.bins = bins

    def play(self, suite, _):
        failed = suite.failed
        for number, at_once in ((signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGKILL, False)):
            with suite.check(f"driver-ends: by {number.name}, nothing stays{'' if at_once else ' after the next run'}"):
                self.end(number, at_once)
        return suite.failed == failed

    def end(self, number, at_once):
        before = folders()
        env = {name: value for name, value in os.environ.items() if name != stage.INSIDE}
        driver = subprocess.Popen([sys.executable, RUN, self.bins, "driver-machines"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, start_new_session=True)
        try:
            said = next((line for line in driver.stdout if line.startswith("ok")), "it ended")
            assert "commands say" in said, said
            [folder], groups = folders() - before, left_of(folders() - before)
            assert nodes(folder) and groups, (folder, groups)
            # Ctrl-C is for everybody at the terminal; what ends a program by its id does not know of its children.
            (os.killpg if number == signal.SIGINT else os.kill)(driver.pid, number)
            driver.wait(PATIENCE)
        finally:
            driver.kill()
            driver.stdout.close()
        wait_for("the nodes' end", lambda: not nodes(folder), PATIENCE)
        mounts = pathlib.Path("/proc/self/mountinfo").read_text()
        assert folder.name not in mounts, mounts
        if not at_once:
            assert folder.exists(), "a driver that was killed cannot have cleaned up"
            wait_for("what the next run does first", lambda: stage.sweep() or not folder.exists(), PATIENCE)
        assert not folder.exists() and not left_of({folder}), (folder, left_of({folder}))


def folders():
    return set(CACHE.glob("run-*"))


def left_of(found):
    return [group for folder in found for top in stage.hierarchies() if (group := top / f"{stage.GROUPS}{folder.name}").exists()]


def nodes(folder):
    """Processes that were started for a node of this run."""
    lines = (path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    return [line for line in lines if b"systemd-nspawn" in line and folder.name.encode() in line]
