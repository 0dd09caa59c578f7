"""Sockets that cannot be had, and a second daemon where one is enough."""
import socket

from wire import call


def refused(daemon, code, *words):
    """It ends at once with this exit code and says why and what to do."""
    try:
        daemon.start()
    except RuntimeError as ended:
        assert daemon.process.returncode == code, f"{daemon.process.returncode}: {ended}"
        missing = [word for word in words if word not in daemon.log()]
        assert not missing, f"{missing} not in {daemon.log()[-400:]}"
    else:
        raise AssertionError("it started")


def run(suite, root, make, bin_dir):
    binary = bin_dir / "agentd"
    with suite.check("a socket of a living owner is not taken, and the owner lives on"):
        first = make(binary, root / "s1").start()
        refused(make(binary, root / "s2", sock=first.sock), 1, str(first.sock), "in use", "--socket")
        assert call(first.sock, "GET", "/health").status == 200
    with suite.check("a second daemon on the same state is refused, also with a socket of its own"):
        refused(make(binary, root / "s3", state=first.state), 1, str(first.state), "in use", "--state-dir")
        assert call(first.sock, "GET", "/health").status == 200
    with suite.check("a socket of a dead owner is replaced"):
        first.kill()
        assert first.sock.exists() and first.start().health()["status"] == "ok"
    with suite.check("a stopped daemon takes its socket away"):
        assert first.end() == 0 and not first.sock.exists()
    with suite.check("a plain file, a folder or a link in the socket's place stays what it is"):
        for number, make_it in enumerate([lambda p: p.write_text("mine"), lambda p: p.mkdir(), lambda p: p.symlink_to("/nowhere/at/all")]):
            daemon = make(binary, root / f"f{number}")
            make_it(daemon.sock)
            before = daemon.sock.lstat()
            refused(daemon, 1, str(daemon.sock), "no socket")
            assert daemon.sock.lstat().st_ino == before.st_ino and not (daemon.sock.is_file() and daemon.sock.read_text() != "mine")
    with suite.check("a path of 108 bytes and more is a mistake of the configuration"):
        for length in (108, 200):
            refused(make(binary, root / f"l{length}", sock=root / ("x" * (length - len(str(root)) - 1))), 78, "107 bytes")
    for length in (100, 105, 106, 107):
        with suite.check(f"a path of {length} bytes works"):
            sock = root / ("y" * (length - len(str(root)) - 1))
            assert make(binary, root / f"l{length}", sock=sock).start().end() == 0
    with suite.check("a folder that is not there is named"):
        daemon = make(binary, root / "n")
        daemon.sock = root / "not/there/agentd.sock"
        refused(daemon, 1, "not/there")
    with suite.check("a socket that is taken away comes back with a restart, and a foreign one is left alone at the end"):
        daemon = make(binary, root / "r").start()
        daemon.sock.unlink()
        foreign = socket.socket(socket.AF_UNIX)
        foreign.bind(str(daemon.sock))
        foreign.listen()
        assert daemon.end() == 0 and daemon.sock.exists(), "it removed a socket that is not its own"
