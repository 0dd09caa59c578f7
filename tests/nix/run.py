#!/usr/bin/env python3
"""What evaluating the flake shows: refusals, options that do something, printed pages, configuration that the daemons take.

Usage: run.py BIN_DIR. Where nothing evaluates Nix every check is skipped and counted."""
import json, pathlib, shutil, subprocess, sys, tempfile, tomllib

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import page, wired
from evaluate import ROOT, Refused, evaluate
from harness import Suite

PLAIN = '{ fileSystems."/" = { device = "/dev/sda1"; fsType = "ext4"; }; boot.loader.grub.device = "/dev/sda"; system.stateVersion = "26.05"; }'
SUITE = Suite()
BIN = pathlib.Path(sys.argv[1])


def told(case):
    """The host with the module does not evaluate and says what it must, or is warned of."""
    config = f"(flake.nixosConfigurations.example.extendModules {{ modules = [ ({case['module']}) ]; }}).config"
    if "warns" in case:
        warnings = "\n".join(evaluate(".", f"flake: {config}.warnings"))
        assert case["warns"] in warnings and bool(case["warns"]) == ("osmoda" in warnings), warnings
        return
    try:
        evaluate(".", f"flake: {config}.system.build.toplevel.drvPath")
    except Refused as why:
        said = " ".join(str(why).split())
        assert case["says"] in said, f"it says something else: {said[-700:]}"
    else:
        raise AssertionError("it was taken")


def disabled():
    """A plain host is the same with the module, not enabled, and without it."""
    systems = evaluate(".", f"""flake: map (modules: (flake.nixosConfigurations.example.pkgs.nixos {{ imports = modules ++ [ ({PLAIN}) ]; }}).toplevel.drvPath)
        [ [ ] [ flake.nixosModules.default ] ]""")
    assert systems[0] == systems[1], systems


def without_flakes():
    """default.nix and modules/ alone, crane from the lock file: the very same package."""
    found = evaluate(".", f"""flake: let root = dirOf flake.nixosModules.default._file; inherit (flake.nixosConfigurations.example) pkgs; in {{
      ours = (import (root + "/default.nix") {{ inherit pkgs; }}).packages.osmoda.drvPath;
      flakes = flake.packages.x86_64-linux.osmoda.drvPath;
      units = (pkgs.nixos {{ imports = [ (root + "/modules") ({PLAIN}) ]; services.osmoda.enable = true; }}).toplevel.drvPath;
    }}""")
    assert found["ours"] == found["flakes"] and found["units"], found


def same_build():
    """A change of a page or a test rebuilds no program and no system; one of the code does, but not what it depends on."""
    paths = """flake: { deps = flake.packages.x86_64-linux.osmoda.cargoArtifacts.drvPath; program = flake.packages.x86_64-linux.agentd.drvPath;
      system = flake.nixosConfigurations.example.config.system.build.toplevel.drvPath; }"""
    before = evaluate(".", paths)
    with tempfile.TemporaryDirectory() as folder:
        git = lambda root, *words: subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=True).stdout
        for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
            if (ROOT / name).exists():
                pathlib.Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, pathlib.Path(folder, name))
        more = lambda name, text: open(pathlib.Path(folder, name), "a").write(text)
        for name in ("README.md", "docs/files.md", "tests/harness.py", "bench/http.rs", "rust/agentctl/tests/integration/main.rs", "rust/types/golden/new.json"):
            more(name, "\n")
        git(folder, "init", "--quiet"), git(folder, "add", "--all")
        assert evaluate(".", paths, folder) == before
        more("rust/agentd/src/main.rs", "\n")
        after = evaluate(".", paths, folder)
    assert [key for key in before if before[key] == after[key]] == ["deps"], (before, after)


def taken(daemon, text, code):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(text)
        file.flush()
        done = subprocess.run([BIN / daemon, "--check-config", "--config", file.name], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, (done.returncode, done.stderr[-400:])


def main():
    for case in tomllib.loads((HERE / "told.toml").read_text())["case"]:
        with SUITE.check(f"{'warned of' if 'warns' in case else 'refused'}: {case['name']}"):
            told(case)
    with SUITE.check("a host that does not enable osModa is the same with its module and without"):
        disabled()
    with SUITE.check("without flakes it is the same package, and the modules work"):
        without_flakes()
    with SUITE.check("a change of docs or tests rebuilds nothing"):
        same_build()
    with SUITE.check("docs/nixos.md ends with what the options say"):
        page.compare()
    for option, check in wired.checks():
        with SUITE.check(option):
            check()
    with SUITE.check("the files that agents may use by default are those that the daemon takes by default"):
        wired.same_roots()
    hosts = []
    with SUITE.check("there are hosts to look at"):
        hosts = evaluate("nixosConfigurations", "builtins.attrNames")
    for host in hosts:
        with SUITE.check(f"{host}: each daemon takes its configuration, and not one with an unknown key"):
            files = evaluate(f"nixosConfigurations.{host}.config.environment.etc",
                             "etc: builtins.mapAttrs (name: _: etc.${name}.source.text) (builtins.listToAttrs (map (name: { inherit name; value = 0; }) (builtins.filter (name: builtins.match \"osmoda/.*json\" name != null) (builtins.attrNames etc))))")
            for name, text in files.items():
                taken(pathlib.Path(name).stem, text, 0)
                taken(pathlib.Path(name).stem, json.dumps(json.loads(text) | {"no_such_key": 1}), 78)
    SUITE.end()


if __name__ == "__main__":
    main()
