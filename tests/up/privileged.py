"""agentd is an ordinary user: files, shell and undo through agentd-root, on an installed layout."""
import os, pathlib, pwd, signal, socket

from harness import wait_for
from wire import call

RUN, STATE = pathlib.Path("/run/osmoda"), pathlib.Path("/var/lib/osmoda")
SOCKET = RUN / "agentd.sock"


def garbage(pid, do):
    """agentd taken over: whatever it sends, the half answers or hangs up, and goes on."""
    child = os.fork()
    if child == 0:
        os.setgid(pwd.getpwnam("osmoda-agentd").pw_gid)
        os.setuid(pwd.getpwnam("osmoda-agentd").pw_uid)
        packets = [b"", b"x", b"@", b"{}", b'"file"', b"[" * 60000, b'{"file":{"read":{"path":"/etc/shadow"}}}', b'{"file":{"write":{"path":"/etc/x","seen":{"absent":{}},"as_it_was":null}}}',
                   b'{"spawn":{"argv":[],"env":{},"cwd":"/","timeout_secs":1}}', b'{"service":{"unit":"sshd.service","act":"stop"}}', b'{"sysctl":{"key":"kernel.core_pattern","value":"|/x"}}', b'{"reboot":{}}']
        for packet in packets:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
                sock.settimeout(15)
                sock.connect(str(RUN / "root.sock"))
                sock.send(packet)
                answer = sock.recv(65536) if packet else b""
                if b'"Ok"' in answer or b"root:" in answer:
                    os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the half did what it must not"
    assert os.path.exists(f"/proc/{pid}") and do("/file/read", path="/srv/osmoda-test").status == 200
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:  # root is no caller either
        sock.connect(str(RUN / "root.sock"))
        sock.send(b'{"file":{"read":{"path":"/etc/hostname"}}}')
        assert b"auth.ring" in sock.recv(65536)


def check(processes, owner):
    half, socket_ = processes()["agentd-root"], RUN / "root.sock"
    forbidden = sum(1 << number for number in (16, 17, 19, 21, 27))  # module, rawio, ptrace, admin, mknod
    assert half["Uid"].split() == ["0"] * 4 and int(half["CapBnd"], 16) & forbidden == 0, half
    assert owner(socket_) == ("osmoda-agentd", "root", "0o600"), owner(socket_)
    path = pathlib.Path("/srv/osmoda-test")
    path.write_text("root's")
    path.chmod(0o600)
    agent = {"X-Osmoda-Actor": "agent:main"}.items()
    do = lambda target, **body: call(SOCKET, "POST", target, body, agent)
    assert do("/file/read", path=str(path)).json["content"] == "root's"
    undo = do("/file/write", path=str(path), content="the agent's").json["undo"]
    assert path.read_text() == "the agent's" and owner(path) == ("root", "root", "0o600"), owner(path)
    assert do("/undo", undo=undo).json["undone"] and path.read_text() == "root's"
    for protected in ("/etc/shadow", "/etc/osmoda/agentd-root.json", str(STATE / "ledger/ledger.db")):
        assert do("/file/read", path=protected).code == "policy.denied", protected
    assert do("/file/write", path=str(STATE / "secrets/token"), content="s").status == 200
    ran = do("/shell/exec", command="id -un; cat /var/lib/osmoda/secrets/token; cat /srv/osmoda-test; ls /proc | grep -c '^[0-9]'").json
    assert ran["stdout"].split()[0] == "osmoda-shell" and ran["stderr"].count("denied") == 2, ran
    garbage(half["pid"], do)
    os.kill(half["pid"], signal.SIGKILL)
    wait_for("its return", lambda: do("/file/read", path=str(path)).status == 200)
