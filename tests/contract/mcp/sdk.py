"""Checks through the official Python SDK."""
import asyncio, contextlib, json, os

import httpx2
from jsonschema import Draft202012Validator
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from raw import stream_begun, stream_ended
from wire import Source, event

MODES = ["legacy", "auto"]  # the initialize handshake, and whatever is newest


@contextlib.asynccontextmanager
async def over_http(url, token=None, transport=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(headers=headers, transport=transport, timeout=60) as http:
        async with streamable_http_client(url, http_client=http) as streams:
            yield streams


def over_unix(path):
    return over_http("http://localhost/mcp", transport=httpx2.AsyncHTTPTransport(uds=str(path)))


@contextlib.asynccontextmanager
async def over_stdio(bridge, agentd, *more):
    parameters = StdioServerParameters(command=str(bridge), args=["--run-dir", str(agentd.sock.parent), *more])
    with open(os.devnull, "w") as quiet:
        async with stdio_client(parameters, quiet) as streams:
            yield streams


def run(check):
    """Runs a check; a failure is told as itself, not as the group that the SDK's tasks make of it."""
    try:
        return asyncio.run(check)
    except BaseExceptionGroup as group:
        error = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


async def fails(call):
    try:
        await call
    except MCPError as error:
        return error
    raise AssertionError("no protocol error")


def everywhere(connect, agentd):
    """What must work over every transport and in every protocol: a list, a call, a failure, a stream, many at once."""
    for mode in MODES:
        run(exercise(Client(connect(), mode=mode, read_timeout_seconds=60), agentd))


async def exercise(client, agentd):
    async with client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        hints = tools["system_health"].annotations
        assert hints.read_only_hint and not hints.destructive_hint and "Diagnose" in client.instructions
        assert (await client.call_tool("system_health")).structured_content["status"] == "ok"
        wrong = await client.call_tool("ledger_proof", {"id": "x"})
        assert wrong.is_error and wrong.structured_content["errors"][0]["at"] == "/id"
        unknown = await fails(client.call_tool("ledger_prove", {}))
        assert unknown.code == -32602 and "ledger_proof" in str(unknown), unknown
        await progress(client, agentd)
        await cancellation(client, agentd)
        calls = [client.call_tool("system_query", {"query": "processes", "args": {"limit": 1}}) for _ in range(50)]
        assert all(len(result.structured_content["result"]) == 1 for result in await asyncio.gather(*calls))


async def progress(client, agentd):
    """Each event is told when it happens, and all are in the answer."""
    source, seen = Source("watch"), []

    async def told(progress, total, message):
        seen.append((progress, json.loads(message)["payload"]["n"]))
        if len(seen) < 3:
            assert source.post(agentd.sock, [event("watch.check.done", n=len(seen))]).status == 200

    after = (await client.call_tool("event_log", {"limit": 1})).structured_content["events"][0]["id"]
    assert source.post(agentd.sock, [event("watch.check.done", n=0)]).status == 200
    result = await client.call_tool("event_watch", {"type": "watch.", "after_id": after, "limit": 3, "wait_secs": 60}, progress_callback=told)
    assert [item["payload"]["n"] for item in result.structured_content["items"]] == [0, 1, 2], result
    assert seen == [(1, 0), (2, 1), (3, 2)], seen


async def cancellation(client, agentd):
    """A call that the caller gives up ends at the daemon too, and the next one works."""
    watching = asyncio.create_task(client.call_tool("event_watch", {"wait_secs": 120}))
    await asyncio.to_thread(stream_begun, agentd)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await asyncio.to_thread(stream_ended, agentd)
    assert (await client.call_tool("system_query", {"query": "uptime"})).structured_content["result"]


def checks(suite, bridge, agentd, examples, may_fail):
    def connect(*more):
        return Client(over_stdio(bridge, agentd, *more), read_timeout_seconds=60)

    async def every_tool():
        async with connect() as client:
            tools = (await client.list_tools()).tools
            assert {tool.name for tool in tools} == set(examples)
            assert all(tool.title and tool.description and tool.annotations and tool.input_schema["type"] == "object" for tool in tools), tools
            for tool in tools:
                result = await client.call_tool(tool.name, examples[tool.name])
                if result.is_error and result.structured_content["code"] in may_fail[tool.name]:
                    continue  # the example names what this machine does not have, such as a service
                assert not result.is_error and json.loads(result.content[0].text) == result.structured_content, (tool.name, result)
                Draft202012Validator(tool.output_schema).validate(result.structured_content)

    async def wrong_arguments():
        async with connect() as client:
            result = await client.call_tool("system_query", {"query": "disc", "args": {"limit": "many"}, "colour": 1})
            problem = result.structured_content
            assert result.is_error and problem["code"] == "request.field" and "/args/limit" in result.content[0].text
            assert {error["at"] for error in problem["errors"]} == {"", "/args/limit", "/query"}
            assert "disk, hostname" in str(problem), problem
            for tool, arguments, at in (("event_log", {"since": "yesterday"}, "/since"), ("ledger_proof", {}, ""), ("ledger_verify", {"against": [1]}, "/against/0")):
                result = await client.call_tool(tool, arguments)
                assert result.is_error and [error["at"] for error in result.structured_content["errors"]] == [at], result

    async def lean():
        async with connect("--lean") as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"tool_search", "tool_call"} <= names and len(names) <= 14 and "ledger_proof" not in names
            found = (await client.call_tool("tool_search", {"query": "prove an event"})).structured_content["tools"]
            assert found[0]["name"] == "ledger_proof" and "id" in found[0]["inputSchema"]["properties"]
            assert (await client.call_tool("tool_call", {"tool": "ledger_proof", "arguments": {"id": 1}})).structured_content["index"] == 0
            for call, at in (({"tool": "ledger_proof", "arguments": {"id": "x"}}, "/id"), ({"tool": "ledger_prove"}, "/tool"), ({}, ""), ({"tool": "tool_call"}, "/tool")):
                wrong = await client.call_tool("tool_call", call)
                assert wrong.is_error and wrong.structured_content["errors"][0]["at"] == at, wrong

    async def toolsets():
        async with connect("--toolsets", "ledger") as client:
            assert {"event_log"} <= {tool.name for tool in (await client.list_tools()).tools} <= set(examples) - {"system_health"}
            await fails(client.call_tool("system_health", {}))

    with suite.check("SDK: stdio does everything"):
        everywhere(lambda: over_stdio(bridge, agentd), agentd)
    named = {"every tool is listed and does its example": every_tool, "wrong arguments are named by their path": wrong_arguments,
             "a lean bridge lists little and calls everything": lean, "a toolset is all there is": toolsets}
    for name, check in named.items():
        with suite.check(f"SDK: {name}"):
            run(check())
