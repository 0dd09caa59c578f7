"""An agentd in a network namespace of its own, so that a test may set and close there what it likes."""
import contextlib, os, pathlib, shutil, subprocess, sys

from harness import Skip, playground

# SIOCSIFFLAGS with IFF_UP | IFF_RUNNING: not every machine has the program ip.
LOOPBACK_UP = "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh22x', b'lo', 0x41))"
TABLE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "osmoda.nft"
# A machine that drops everything but what was asked for and what has the mark.
CLOSED = """table inet machine {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established accept
    meta mark & 0x10000000 != 0 accept
  }
}
"""


@contextlib.contextmanager
def apart(agentd, firewall=()):
    """Starts another agentd of the same build in a new namespace; `firewall` are texts for nft."""
    if os.geteuid() != 0:
        raise Skip("needs root to make a network namespace")
    if firewall and not shutil.which("nft"):
        raise Skip("nft is not installed")
    with playground() as (root, make):
        lines = [f'"{sys.executable}" -c "{LOOPBACK_UP}"']
        for number, text in enumerate(firewall):
            (root / f"{number}.nft").write_text(text)
            lines.append(f"nft -f {root}/{number}.nft")
        script = " && ".join([*lines, 'exec "$0" "$@"'])
        yield make(agentd.binary, root, prefix=["unshare", "--net", "sh", "-c", script]).start()


def inside(daemon, *command):
    """Runs a command in the daemon's namespace; what it printed, or None when it failed."""
    done = subprocess.run(["nsenter", f"--net=/proc/{daemon.process.pid}/ns/net", *command], capture_output=True, text=True, timeout=30)
    return done.stdout if done.returncode == 0 else None


def reachable(daemon, host, port):
    """Whether a packet to this port comes in."""
    family = "AF_INET6" if ":" in host else "AF_INET"
    script = f"import socket; s = socket.create_server(('{host}', {port}), family=socket.{family}); socket.create_connection(('{host}', {port}), 1)"
    return inside(daemon, sys.executable, "-c", script) is not None


def facts(daemon, kind):
    """The payloads of a kind of event, the oldest first."""
    events = daemon.call("GET", f"/events/log?type={kind}&limit=1000").json["events"]
    return [event["payload"] for event in reversed(events)]
