"""system_query and system_discover against what Python sees of the same machine."""
import os, pwd, socket, subprocess, time


def ask(agentd, query, **args):
    answer = agentd.call("POST", "/system/query", {"query": query, "args": args})
    assert answer.status == 200, answer.json
    return answer.json["result"]


def checks(agentd):
    def processes():
        busy = subprocess.Popen(["sh", "-c", "while :; do :; done"])
        try:
            deadline = time.monotonic() + 60
            while not any(row["pid"] == busy.pid and row["cpu_percent"] > 1 for row in ask(agentd, "processes", sort="cpu", limit=10)):
                assert time.monotonic() < deadline, "a busy process is not among the first ten"
        finally:
            busy.kill()
            busy.wait()
        largest = ask(agentd, "processes", sort="memory", limit=3)
        assert [row["memory_bytes"] for row in largest] == sorted((row["memory_bytes"] for row in largest), reverse=True)
        assert not any(row["pid"] == busy.pid for row in ask(agentd, "processes", limit=10000))

    def ports():
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
            port = server.getsockname()[1]
            row = next(row for row in ask(agentd, "ports") if row["port"] == port)
            assert (row["protocol"], row["address"], row["pid"]) == ("tcp", "127.0.0.1", os.getpid()), row
            local = "{}:{}".format(*client.getsockname())
            row = next(row for row in ask(agentd, "connections", limit=10000) if row["local"] == local)
            assert (row["state"], row["remote"], row["pid"]) == ("established", f"127.0.0.1:{port}", os.getpid()), row
            found = agentd.call("GET", "/system/discover").json
            assert any(service["pid"] == os.getpid() and service["ports"][0]["port"] == port for service in found["services"])

    def plain():
        assert ask(agentd, "hostname")["hostname"] == socket.gethostname()
        assert abs(ask(agentd, "uptime")["uptime_secs"] - float(open("/proc/uptime").read().split()[0])) < 5
        assert {row["name"] for row in ask(agentd, "users", limit=10000)} == {user.pw_name for user in pwd.getpwall()}
        assert any(row["mount"] == "/proc" and row["filesystem"] == "proc" for row in ask(agentd, "mounts"))
        root = next(row for row in ask(agentd, "disk") if row["mount"] == "/")
        stat = os.statvfs("/")
        assert root["total_bytes"] == stat.f_blocks * stat.f_frsize, root

    def kernel():
        seen, name = ask(agentd, "kernel"), os.uname()
        assert (seen["release"], seen["version"], seen["architecture"]) == (name.release, name.version, name.machine), seen
        assert seen["command_line"] == open("/proc/cmdline").read().strip()
        chips = {open(f"/sys/class/hwmon/{chip}/name").read().strip() for chip in os.listdir("/sys/class/hwmon")} if os.path.isdir("/sys/class/hwmon") else set()
        assert {row["chip"] for row in ask(agentd, "sensors")} <= chips
        root = next((line.split()[1] for line in open("/proc/mounts") if line.split()[2] == "cgroup2"), None)
        if root:
            paths = {"/" + os.path.relpath(folder, root) for folder, _, _ in os.walk(root)} - {"/."}
            assert {row["path"] for row in ask(agentd, "cgroups", limit=10000)} == paths

    def absent():
        for query, code, there in (("services", "systemd.absent", "/run/systemd/system"), ("generations", "nix.absent", "/nix/var/nix/profiles/system")):
            answer = agentd.call("POST", "/system/query", {"query": query})
            assert answer.status == 200 if os.path.lexists(there) else answer.json["code"] == code, answer.json
            assert os.path.lexists(there) or answer.json["next_step"]

    def health():
        cores = agentd.health()["cpu"]["cores"]
        assert len(cores) == os.cpu_count() and all(0 <= core["usage_percent"] <= 100 for core in cores), cores

    yield "a busy process is found, and is gone when it is gone", processes
    yield "a port and a connection are found with their process", ports
    yield "hostname, uptime, users, mounts and disks are what this program sees", plain
    yield "kernel, sensors and control groups are what the kernel's files say", kernel
    yield "what a machine does not have is an error with a remedy, not an empty answer", absent
    yield "health knows each core", health
