#!/usr/bin/env python3
"""What agentd does on a real systemd: every other file of this folder but node.py is a group of checks, found by listing.

Usage: run.py BIN_DIR. A file offers `checks(machine)`, which yields a sentence and a function that fails if it is not so, and
may offer `UNITS`, unit files that the machine boots with, and `PACKAGES`, what is installed there."""
import importlib, pathlib, sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[0])]
from harness import Skip, Suite
from node import Machine

AGENTD = """[Service]
Type=notify
ExecStart=/opt/osmoda/agentd --socket /run/osmoda/agentd.sock --state-dir /var/lib/osmoda
[Install]
WantedBy=multi-user.target
"""


def main():
    suite = Suite()
    for path in sorted(HERE.glob("*.py")):
        if path.name in ("run.py", "node.py"):
            continue
        checks = importlib.import_module(path.stem)
        with suite.check(f"{path.stem}: a machine boots and agentd is ready"):
            try:
                machine = Machine(sys.argv[1], {"osmoda-agentd.service": AGENTD, **getattr(checks, "UNITS", {})}, getattr(checks, "PACKAGES", ())).__enter__()
            except Skip as why:
                raise Skip(f"{why}; so every check of {path.name} is left out") from None
            try:
                machine.succeed("systemctl start osmoda-agentd")
                run_all(suite, path.stem, checks, machine)
            finally:
                machine.__exit__()
    suite.end()


def run_all(suite, group, checks, machine):
    for name, check in checks.checks(machine):
        with suite.check(f"{group}: {name}"):
            check()
    with suite.check(f"{group}: agentd is well after all of it"):
        health = machine.call("GET", "/health").json
        said = machine.succeed("journalctl --unit=osmoda-agentd --no-pager --output=cat")
        assert health["status"] == "ok" and "panic" not in said, (health["checks"], said[-600:])


if __name__ == "__main__":
    main()
