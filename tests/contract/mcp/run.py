#!/usr/bin/env python3
"""The bridge through the official clients, in front of the real agentd: the Python SDK and the MCP inspector.

Usage: run.py BIN_DIR, with the packages of requirements.txt and npm.txt."""
import json, logging, pathlib, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
import inspector, lines, sdk, web
from harness import Suite, THROWAWAY, playground

BINS = pathlib.Path(sys.argv[1]).resolve()
GOLDEN = pathlib.Path(__file__).resolve().parents[3] / "rust/types/golden"


def examples():
    """Every tool's example arguments, as the catalogue gives them, and the codes it may fail with here; the search is the bridge's own."""
    shapes = [json.loads(path.read_text()) for path in sorted(GOLDEN.glob("*.json"))]
    shapes = {shape["tool"]: shape for shape in shapes if shape["tool"]}
    inputs = {tool: shape["example"]["input"] for tool, shape in shapes.items()} | {"tool_search": {"query": "disk"}}
    inputs["event_watch"]["wait_secs"] = 1
    return inputs, {tool: shape["errors"] for tool, shape in shapes.items()} | {"tool_search": []}


def main():
    logging.disable(logging.WARNING)  # the SDK warns of every session that ends with 202
    suite = Suite()
    bridge = BINS / "osmoda-bridge"
    with playground() as (root, make):
        agentd = make(BINS / "agentd", root, prefix=THROWAWAY).start()
        sdk.checks(suite, bridge, agentd, *examples())
        lines.checks(suite, bridge, agentd)
        web.checks(suite, bridge, agentd, root)
        inspector.checks(suite, bridge, agentd, *examples())
        with suite.check("agentd is well after all of it"):
            assert agentd.health()["status"] == "ok" and "panic" not in agentd.log()
    suite.end()


if __name__ == "__main__":
    main()
