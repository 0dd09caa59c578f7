#!/usr/bin/env python3
"""install.sh where it can run without a kernel of its own: each group is a file beside this one and has its own machines.

Usage: run.py BIN_DIR [GROUP...]. What cannot run here is named where it is left out: kexec itself, nixos-rebuild."""
import importlib, pathlib, sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[1])]
from harness import Skip, Suite
from place import Site

GROUPS = ["definition", "preflight", "plain", "mishaps", "nixos", "convert", "carry"]


def main():
    suite, bins, groups = Suite(), sys.argv[1], sys.argv[2:] or GROUPS
    for group in groups:
        module = importlib.import_module(group)
        for options in getattr(module, "MACHINES", [None]):
            name = group + (f" {options['suite']}" if options and "suite" in options else "")
            if options is None:
                run(suite, name, module.checks())
                continue
            site = Site(bins, **options)
            with suite.check(f"{name}: a machine boots"):
                try:
                    site.__enter__()
                except Skip as why:
                    raise Skip(f"{why}; so every check of {group}.py is left out") from None
                try:
                    run(suite, name, module.checks(site))
                finally:
                    site.__exit__()
    suite.end()


def run(suite, name, checks):
    for sentence, check in checks:
        with suite.check(f"{name}: {sentence}"):
            check()


if __name__ == "__main__":
    main()
