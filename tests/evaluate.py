"""Evaluates the flake wherever that is possible: with the command in OSMODA_NIX_EVAL, else with nix. Builds nothing.

OSMODA_NIX_EVAL is run in the repository with an attribute path and the options of `nix eval`, and prints JSON.
"""
import json, os, pathlib, re, shlex, shutil, subprocess

from harness import Skip

ROOT = pathlib.Path(__file__).resolve().parent.parent
STORE = re.compile(r"/nix/store/[0-9a-z]{32}-([A-Za-z0-9+._?=-]+)")
# A version and what follows it: "systemd-259.3-man" is "systemd".
VERSION = re.compile(r"-[0-9][A-Za-z0-9+._?=-]*$")


class Refused(Exception):
    """The evaluation failed; the text is what the evaluator said."""


def evaluator():
    """The words before an attribute path; `Skip` where nothing evaluates."""
    if given := os.environ.get("OSMODA_NIX_EVAL"):
        return shlex.split(given), ""
    if shutil.which("nix"):
        return ["nix", "--extra-experimental-features", "nix-command flakes", "eval", "--json"], ".#"
    raise Skip("nothing here evaluates Nix: neither nix nor OSMODA_NIX_EVAL")


def evaluate(attr, apply=None, root=ROOT):
    """The value of `attr` of the flake in `root`, or of the Nix function `apply` of it."""
    command, flake = evaluator()
    done = subprocess.run([*command, flake + attr, *(["--apply", apply] if apply else [])], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr.strip())
    return json.loads(done.stdout)


def units(attr, folder):
    """Writes what of the system at `attr` is ours below `folder`, in a form that other versions of packages leave alone."""
    found = evaluate(attr, (ROOT / "tests/units.nix").read_text())
    if found["failed"]:
        raise Refused("\n".join(found["failed"]))
    files = {name: still(text) for name, text in found.pop("files").items()}
    files |= {f"{name}.json": json.dumps(value, sort_keys=True) for name, value in found.items() if name != "failed"}
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in files.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith("units/"):
            text = framed(text)
        elif name.endswith(".json"):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
        path.write_text(text)


def still(text):
    """Store paths without hash and version: /nix/store/systemd/bin."""
    return STORE.sub(lambda path: f"/nix/store/{VERSION.sub('', path[1])}", text)


def framed(unit):
    """A unit without what nixpkgs puts around it: locale and time zone data, empty lines, the place of X- keys."""
    sections, keys = {}, []
    for line in unit.splitlines():
        if line.startswith("["):
            here = sections.setdefault(line, [])
        elif line.startswith("X-"):
            keys.append(line)
        elif line and not line.startswith(('Environment="LOCALE_ARCHIVE=', 'Environment="TZDIR=')):
            here.append(line)
    sections.setdefault("[Unit]", []).extend(sorted(keys))
    return "\n\n".join("\n".join([name, *lines]) for name, lines in sections.items()) + "\n"


if __name__ == "__main__":
    import sys

    units(sys.argv[1], sys.argv[2])
