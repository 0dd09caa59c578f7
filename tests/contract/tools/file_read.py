"""file_read: parts of regular files, as text or base64, and nothing else."""
import base64, hashlib, pathlib, tempfile


def checks(agentd):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="osm-read-"))
    read = lambda path, **more: agentd.call("POST", "/file/read", {"path": str(path), **more}, {"X-Osmoda-Actor": "agent:tester"}.items())

    def parts():
        (folder / "text").write_text("häl\u20aco\n" * 1000)
        whole = read(folder / "text").json
        assert whole["content"] == "häl\u20aco\n" * 1000 and whole["encoding"] == "text" and not whole["truncated"], whole
        part = read(folder / "text", offset=0, max_bytes=5).json
        assert part["content"] == "häl" and part["truncated"] and part["size_bytes"] == 9000, part
        (folder / "bytes").write_bytes(bytes(range(256)))
        refused = read(folder / "bytes")
        assert refused.code == "file.kind" and "base64" in refused.json["next_step"], refused
        assert base64.b64decode(read(folder / "bytes", encoding="base64", offset=250).json["content"]) == bytes(range(250, 256))

    def refusals():
        for path, code in (("/etc/shadow", "policy.denied"), ("/proc/self/mem", "policy.denied"), ("/root/.ssh/id_ed25519", "policy.denied"), (folder / "none", "file.not_found"), (folder, "file.kind"), ("relative", "request.field"), ("/tmp/../etc/shadow", "request.field"), ("/dev/sda", "policy.denied")):
            answer = read(path)
            assert answer.code == code, (path, answer)

    def large():
        text = ("a line of text, \"quoted\" \\ \x01 \u20ac\n") * 300_000
        (folder / "large").write_text(text)
        answer = read(folder / "large", max_bytes=16_777_216)
        assert answer.json["content"] == text and not answer.json["truncated"]
        agentd.call("POST", "/file/write", {"path": str(folder / "mark"), "content": ""}, {"X-Osmoda-Actor": "agent:tester"}.items())
        calls = agentd.call("GET", "/events/log?type=agentd.session.read&actor=agent:tester").json["events"][0]["payload"]["calls"]
        assert any(call["result_digest"] == f"sha256:{hashlib.sha256(answer.body).hexdigest()}" for call in calls), calls

    yield "a large file is read whole, and the digest of what was sent is in the ledger", large
    yield "text and bytes are read whole and in parts", parts
    yield "what is protected, missing or no file is refused by name", refusals
