#!/usr/bin/env python3
"""install.sh where it can run without a kernel of its own: each group is a file beside this one and has a machine for itself.

Usage: run.py BIN_DIR [GROUP…]. What cannot run here is named where it is left out: kexec itself, nixos-rebuild."""
import importlib, pathlib, sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[1])]
import place, stage
from harness import Skip, Suite

GROUPS = ["definition", "preflight", "plain", "mishaps", "nixos", "convert", "carry"]


def main():
    suite, bins = Suite(), pathlib.Path(sys.argv[1]).resolve()
    groups = {name: importlib.import_module(name) for name in sys.argv[2:] or GROUPS}
    suites = sorted({on for group in groups.values() for on in getattr(group, "ON", [])})
    refused = stage.enter(lambda: {on: why for on in suites if (why := lacking(on))})
    with stage.folder() as folder:
        layer = place.layer(folder / "layer", bins)
        for name, group in groups.items():
            if not hasattr(group, "ON"):
                run(suite, name, group.checks())
            for on in getattr(group, "ON", []):
                with suite.check(f"{name} on {on}: a machine boots"):
                    if on in refused:
                        raise Skip(f"{refused[on]}; so every check of {name}.py is left out")
                    with place.site(f"{name}-{on}", folder, [layer, *place.stack(on)]) as site:
                        run(suite, f"{name} on {on}", group.checks(site))
    suite.end()


def lacking(suite):
    """Makes the tree of a Debian release; why that is not possible, if it is not."""
    try:
        place.stack(suite)
    except Skip as why:
        return str(why)


def run(suite, name, checks):
    for sentence, check in checks:
        with suite.check(f"{name}: {sentence}"):
            check()


if __name__ == "__main__":
    main()
