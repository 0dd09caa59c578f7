"""A node as a container: systemd-nspawn boots an overlay of the tree in a second, with the host's kernel."""
import contextlib, os, pathlib, signal, socket, subprocess, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from wire import call

import stage
from furnish import SHELL
from node import Node
from shell import retry


REBOOT = 133  # how systemd-nspawn ends with --keep-unit when the node wants to boot again


class Container(Node):
    def power_on(self, log, _):
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", f"--network-veth-extra={self.cable}:eth1", f"--directory={self.tree}",
                   f"--hostname={self.name}", "--link-journal=no", f"--machine={self.name}", "--console=pipe"]
        groups = list(stage.control_groups(self.root.parents[2], f"{self.root.parent.name}/{self.name}"))
        move = lambda: [group.write_text("0") for group in groups]
        env = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=move, env=env)
        retry(lambda _: self.plug() or self.gone(), 60)
        return self.process

    def dial(self):
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(str(self.inside(SHELL)))
        except OSError:
            line.close()
            raise
        return line

    def leader(self):
        """The first process of the node."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next((int(pid) for pid in children if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "systemd"), 0)

    def inside(self, path):
        """A path of the node as the driver sees it: with what is mounted there now."""
        return pathlib.Path(f"/proc/{self.leader()}/root{path}")

    def call(self, method, target, body=None, headers=(), socket="agentd.sock"):
        """A call to a daemon inside, from outside."""
        return call(self.inside(f"/run/osmoda/{socket}"), method, target, body, headers, 120.0)

    def alive(self):
        if self.process and self.process.poll() == REBOOT and self.allow_reboot:
            self.booted = False
            self.hang_up()
            self.start(allow_reboot=True)
        return super().alive()

    def reboot(self):
        super().reboot()
        self.process.wait()
        self.hang_up()

    def cut(self):
        with contextlib.suppress(OSError):
            os.kill(self.leader() or self.process.pid, signal.SIGKILL)
