"""What is committed is what is defined: the units of a plain Linux, and the repository's address."""
import filecmp, pathlib, re, subprocess, sys, tempfile, tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def files(folder):
    return {str(path.relative_to(folder)): path for path in pathlib.Path(folder).rglob("*") if path.is_file()}


def checks():
    def units():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, ROOT / "scripts/plain-units", folder], check=True)
            printed, committed = files(folder), files(ROOT / "scripts/systemd")
            different = [name for name in printed.keys() & committed.keys() if not filecmp.cmp(printed[name], committed[name], shallow=False)]
            assert not different and printed.keys() == committed.keys(), (different, printed.keys() ^ committed.keys())

    def address():
        manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["repository"]
        script = (ROOT / "scripts/install.sh").read_text()
        assert re.findall(r"OSMODA_REPOSITORY:-([^}]*)\}", script) == [manifest], manifest

    yield "the units of a plain Linux are those of the module", units
    yield "install.sh fetches from the address in Cargo.toml", address
