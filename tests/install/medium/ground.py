"""What the checks of osmoda-install stand on: a medium, block devices of its own, and the program run on them."""
import contextlib, hashlib, json, os, pathlib, subprocess, tempfile

from evaluate import ROOT
from harness import Skip

PROGRAM = ROOT / "images/osmoda-install"


def run(*arguments, carried=None, cmdline="", prefix=(), path=None, before=None):
    with tempfile.TemporaryDirectory() as folder:
        kernel, medium = pathlib.Path(folder, "cmdline"), pathlib.Path(folder, "medium")
        kernel.write_text(f"quiet {cmdline}\n")
        medium.mkdir()
        (medium / "nixos").symlink_to(ROOT / "templates/default")
        if before:
            (medium / "before.nix").write_text(before)
        if carried:
            (medium / "host.json").write_text(json.dumps(carried))
        env = {"PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"], "OSMODA_INSTALL_CARRIED": str(medium), "OSMODA_INSTALL_CMDLINE": str(kernel),
               "OSMODA_INSTALL_BEFORE": str(medium / "before.nix")}
        return subprocess.run([*prefix, PROGRAM, *arguments], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, start_new_session=True)


@contextlib.contextmanager
def told(**config):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(json.dumps(config))
        file.flush()
        yield file.name


@contextlib.contextmanager
def disk(make=None):
    """A block device of its own, empty or made by a command."""
    with tempfile.NamedTemporaryFile(suffix=".img") as image:
        image.truncate(64 << 20)
        made = subprocess.run(["losetup", "--find", "--show", image.name], capture_output=True, text=True)
        if made.returncode:
            raise Skip("no loop device can be made here")
        try:
            if make:
                subprocess.run([*make, made.stdout.strip()], check=True, capture_output=True)
            yield made.stdout.strip(), lambda: hashlib.file_digest(open(image.name, "rb"), "sha256").hexdigest()
        finally:
            subprocess.run(["losetup", "--detach", made.stdout.strip()], check=False)


def plan(done):
    """The programs of the steps, in order."""
    assert done.returncode == 0, (done.returncode, done.stdout[-400:], done.stderr[-400:])
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("+ ")]
