"""telemetry_window: samples come, survive a kill and a torn file, and the file does not grow."""
from harness import playground, wait_for


def checks(agentd):
    def kept():
        with playground() as (root, make):
            alone = make(agentd.binary, root).start()
            window = lambda query="": alone.call("GET", "/telemetry" + query).json
            assert window()["points"] == [] and window()["step_secs"] == 30
            one = wait_for("a sample", lambda: window("?since=1m&step_secs=10")["points"], 40)[0]
            for name in ("cpu_percent", "memory_percent", "swap_percent", "disk_percent"):
                assert 0 <= one[name]["min"] <= one[name]["avg"] <= one[name]["max"] <= 100, one
            assert one["memory_percent"]["avg"] > 0
            alone.kill()
            ring = alone.state / "agentd" / "telemetry.ring"
            size = ring.stat().st_size
            assert size == 64 + 8640 * 96, size
            alone.start()
            assert window("?since=5m")["samples"] >= 1, "a sample is gone after a kill"
            # Half of each slot overwritten: none is taken for a sample.
            alone.kill()
            content = bytearray(ring.read_bytes())
            for at in range(64, len(content), 96):
                content[at + 40 : at + 50] = b"\xff" * 10
            ring.write_bytes(content)
            alone.start()
            assert window("?since=24h")["samples"] == 0 and alone.health()["status"] == "ok"
            alone.kill()
            ring.write_bytes(b"not ours")
            alone.start()
            assert window()["points"] == [] and (ring.parent / "telemetry.ring.damaged").read_bytes() == b"not ours"
            assert ring.stat().st_size == size

    def refused():
        for bad in ("since=1m&until=1h", "since=24h&step_secs=10", "step_secs=9", "step_secs=x", "since=soon", "colour=1"):
            assert agentd.call("GET", f"/telemetry?{bad}").code == "request.field", bad

    yield "samples survive a kill; damage loses samples and nothing else", kept
    yield "what makes no window is refused", refused
