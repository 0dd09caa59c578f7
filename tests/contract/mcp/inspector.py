"""Checks through the command line of the official inspector, which is built on the TypeScript SDK."""
import json, subprocess

TOOL_FAILED = 5  # the inspector's exit code for a result with isError


def checks(suite, bridge, agentd, examples, may_fail):
    def inspect(method, *arguments):
        """Exit code, the answer if there is one, and stderr."""
        command = ["mcp-inspector", "--cli", str(bridge), "--run-dir", str(agentd.sock.parent), "--method", method, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        return done.returncode, json.loads(done.stdout or "null"), done.stderr

    def call(tool, arguments):
        pairs = [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in arguments.items()]
        return inspect("tools/call", "--tool-name", tool, *(["--tool-arg", *pairs] if pairs else []))

    with suite.check("inspector: lists every tool, and their schemas are portable"):
        code, answer, err = inspect("tools/list", "--strict")
        assert code == 0, (code, err[-2000:])
        assert {tool["name"] for tool in answer["tools"]} == set(examples)
    with suite.check("inspector: calls every tool"):
        for tool in sorted(examples):
            code, answer, err = call(tool, examples[tool])
            if code == TOOL_FAILED and answer["structuredContent"]["code"] in may_fail[tool]:
                continue  # the example names what this machine does not have
            assert code == 0 and answer["structuredContent"], (tool, code, err[-2000:])
    with suite.check("inspector: wrong arguments are a result, named by their path"):
        code, answer, err = call("system_query", {"query": "colour"})
        problem = answer["structuredContent"]
        assert code == TOOL_FAILED and problem["code"] == "request.field", (code, answer, err)
        assert problem["errors"][0]["at"] == "/query" and "processes" in answer["content"][0]["text"], answer
    with suite.check("inspector: what the daemon refuses is a result with its problem"):
        code, answer, err = call("ledger_proof", {"id": 999_999})
        assert code == TOOL_FAILED and answer["structuredContent"]["code"] == "ledger.not_found", (code, answer, err)
    with suite.check("inspector: an unknown tool is an error that names it"):
        code, answer, err = call("system_heath", {})
        assert code != 0 and answer is None and "system_heath" in err, (code, answer, err)
