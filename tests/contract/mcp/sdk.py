"""Checks through the official Python SDK."""
import asyncio

import httpx2
from jsonschema import Draft202012Validator
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


def server(bridge, run_dir, *more):
    return StdioServerParameters(command=str(bridge), args=["--run-dir", str(run_dir), *more])


async def exercise(client):
    """What every transport must be able to do."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert "system_health" in tools and tools["system_health"].annotations.read_only_hint
    health = await client.call_tool("system_health", {})
    assert health.structured_content["status"] == "ok"


async def over_http(url, token):
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        async with Client(streamable_http_client(url, http_client=http)) as client:
            await exercise(client)


async def over_unix(path):
    async with httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(uds=str(path)), timeout=30) as http:
        async with Client(streamable_http_client("http://localhost/mcp", http_client=http)) as client:
            await exercise(client)


def checks(bridge, run_dir, examples):
    def connect(*more):
        return Client(server(bridge, run_dir, *more), read_timeout_seconds=60)

    async def every_tool():
        """Each listed tool, with its example arguments: success, and an answer its schema promises."""
        async with connect() as client:
            tools = (await client.list_tools()).tools
            assert {tool.name for tool in tools} == set(examples) | {"tool_search"}
            for tool in tools:
                assert tool.title and tool.description and tool.annotations and tool.input_schema["type"] == "object", tool.name
                arguments = dict(examples.get(tool.name, {"query": "health"}))
                if tool.name == "event_watch":
                    arguments = {"after_id": 0, "limit": 1}
                result = await client.call_tool(tool.name, arguments)
                assert not result.is_error, (tool.name, result)
                Draft202012Validator(tool.output_schema).validate(result.structured_content)

    async def wrong_arguments():
        async with connect() as client:
            result = await client.call_tool("system_query", {"query": "disk", "args": {"limit": "many"}, "colour": 1})
            assert result.is_error and "/args/limit" in result.content[0].text, result
            at = {error["at"] for error in result.structured_content["errors"]}
            assert at == {"", "/args/limit"} and result.structured_content["code"] == "request.field"
            late = await client.call_tool("ledger_proof", {"id": 999_999})
            assert late.is_error and late.structured_content["code"] == "ledger.not_found"

    async def unknown_tool():
        async with connect() as client:
            try:
                await client.call_tool("ledger_prove", {})
            except MCPError as error:
                assert error.code == -32602 and "ledger_proof" in str(error), error
            else:
                raise AssertionError("no error")

    async def progress():
        async with connect() as client:
            seen = []

            async def told(progress, total, message):
                seen.append((progress, message))

            result = await client.call_tool("event_watch", {"after_id": 0, "limit": 1}, progress_callback=told)
            assert len(result.structured_content["items"]) == 1
            assert seen and seen[0] == (1.0, "agentd.ledger.created"), seen

    async def many_at_once():
        async with connect() as client:
            calls = [client.call_tool("system_query", {"query": "processes", "args": {"limit": 5}}) for _ in range(50)]
            results = await asyncio.gather(*calls)
            assert all(len(result.structured_content["result"]) == 5 for result in results)

    async def lean():
        async with connect("--lean") as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"tool_search", "tool_call"} <= names and len(names) <= 14 and "ledger_proof" not in names
            found = await client.call_tool("tool_search", {"query": "prove an event"})
            assert found.structured_content["tools"][0]["name"] == "ledger_proof"
            result = await client.call_tool("tool_call", {"tool": "ledger_proof", "arguments": {"id": 1}})
            assert result.structured_content["index"] == 0
            wrong = await client.call_tool("tool_call", {"tool": "ledger_proof", "arguments": {"id": "x"}})
            assert wrong.is_error and wrong.structured_content["errors"][0]["at"] == "/id"

    async def toolsets():
        async with connect("--toolsets", "ledger") as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert "event_log" in names and "system_health" not in names
            try:
                await client.call_tool("system_health", {})
            except MCPError:
                pass
            else:
                raise AssertionError("a tool outside the toolsets was called")

    yield "every tool is listed and does its example", every_tool
    yield "wrong arguments are named by their path", wrong_arguments
    yield "an unknown tool is an error that names close ones", unknown_tool
    yield "a stream tells its progress", progress
    yield "50 calls at once", many_at_once
    yield "a lean bridge lists little and calls everything", lean
    yield "a toolset is all there is", toolsets
