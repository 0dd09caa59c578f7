#!/usr/bin/env python3
"""What each tool does, on the real agentd: every other file of this folder is one tool's checks, found by listing.

Usage: run.py BIN_DIR. A file offers `checks(agentd)`, which yields a sentence and a function that fails if it is not so."""
import importlib, pathlib, sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
from harness import Suite, playground


def main():
    suite = Suite()
    with playground() as (root, make):
        agentd = make(pathlib.Path(sys.argv[1]).resolve() / "agentd", root).start()
        for path in sorted(HERE.glob("*.py")):
            if path.name == "run.py":
                continue
            for name, check in importlib.import_module(path.stem).checks(agentd):
                with suite.check(f"{path.stem}: {name}"):
                    check()
        with suite.check("agentd is well after all of it"):
            assert agentd.health()["status"] == "ok" and "panic" not in agentd.log()
    suite.end()


if __name__ == "__main__":
    main()
