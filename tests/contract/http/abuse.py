"""Bad input for every endpoint of a daemon: whatever arrives, the answer is a 4xx problem with all its fields.

Bytes that are no HTTP request at all never reach the daemon's code; hyper answers them with a bare 400, 414 or 431."""
import json, re, urllib.parse

from wire import call

MEGABYTES_10 = b'{"zzz":"' + b"a" * 10_000_000 + b'"}'
METHODS = ["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW"]
BODIES = {  # never valid, whatever the endpoint
    "invalid UTF-8": (b'{"zzz":"\xff\xfe"}', {400}), "a truncated object": (b'{"zzz":', {400}), "a second value": (b"{} {}", {400}),
    "10 MB": (MEGABYTES_10, {413, 422}), "10 MB of spaces": (b" " * 10_000_000, {400, 413}), "10 MB of one number": (b'{"zzz":' + b"9" * 10_000_000 + b"}", {400, 413}),
    "a bomb of arrays": (b"[" * 60_000, {400}), "a bomb of objects": (b'{"a":' * 10_000, {400}),
    "a closed bomb": (b'{"zzz":' + b"[" * 20_000 + b"]" * 20_000 + b"}", {400}),
    "a duplicate key": (b'{"zzz":1,"zzz":2}', {400}), "a duplicate key deep inside": (b'{"zzz":[{"a":1,"a":1}]}', {400}),
    "NULs": (b"\0" * 64, {400}), "a NUL in a key": (b'{"z\\u0000z":1}', {400, 422}), "a raw NUL in a string": (b'{"zzz":"\0"}', {400}),
    "a number beyond all": (b'{"zzz":1e99999}', {400, 422}), "an integer beyond all": (b'{"zzz":' + b"9" * 400 + b"}", {400, 422}),
    "NaN": (b'{"zzz":NaN}', {400}), "a lone surrogate": (b'{"zzz":"\\ud800"}', {400}), "a byte order mark": (b"\xef\xbb\xbf{}", {400}),
    "an array": (b"[]", {400}), "a string": (b'"x"', {400}), "null": (b"null", {400}), "an unknown field": (b'{"zzz":1}', {422}),
}
QUERIES = {
    "an unknown field": ("zzz=1", {422}), "a broken escape": ("limit=%zz", {400}), "half an escape": ("limit=1%", {400}), "invalid UTF-8": ("zzz=%ff", {400}),
    "an encoded NUL": ("zzz=%00", {422}), "a NUL in a name": ("%00=1", {422}), "a field twice": ("zzz=1&zzz=1", {422}), "a name without a value": ("zzz", {422}),
    "16 kB": ("zzz=" + "a" * 16_000, {414, 422, 431}), "1,000 fields": ("&".join(f"z{n}=1" for n in range(1000)), {414, 422, 431}),
}
IDS = ["abc", "-1", "1.5", "18446744073709551616", "9" * 300, "%00", "%ff", "..%2f..%2fetc%2fpasswd", "%F0%9F%92%A9", "+1", "%201", "0x10", "true", "null"]
HEADERS = {
    "a malformed request id": ({"X-Request-Id": "req_'; DROP TABLE events"}, {400}), "a request id of 8 kB": ({"X-Request-Id": "r" * 8000}, {400}),
    "an actor that is none": ({"X-Osmoda-Actor": "root"}, {400}), "an actor with a separator": ({"X-Osmoda-Actor": "agent:a|b"}, {400}),
    "an actor it is not": ({"X-Osmoda-Actor": "operator:somebody-else"}, {403}), "an empty session": ({"X-Osmoda-Session": ""}, {400}),
    "a session of 8 kB": ({"X-Osmoda-Session": "s" * 8000}, {400}), "a tool beyond ASCII": ({"X-Osmoda-Tool": "w\xe9rkzeug"}, {400}),
    "acting for another": ({"X-Osmoda-On-Behalf": "operator:ann"}, {403}),
}
VALUES = {"null": None, "boolean": True, "number": 1.5, "string": "z" * 20_000, "array": [[]], "object": {"zzz": 1}}


def problem(reply, statuses):
    """The reply is a problem of contracts.md 2 with one of these statuses."""
    assert reply.status in statuses, f"{reply} instead of {sorted(statuses)}"
    assert reply.headers["content-type"] == "application/problem+json", reply.headers.items()
    found = reply.json
    missing = {"type", "title", "status", "code", "instance", "next_step"} - found.keys()
    assert not missing, f"{found} lacks {missing}"
    assert reply.status != 503 or found["code"].endswith(".absent"), f"{found} although the machine has it"
    assert found["status"] == reply.status and found["type"] == f"https://osmoda.invalid/errors#{found['code']}", found
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", found["code"]) and found["instance"] == reply.headers["x-request-id"], (found, reply.headers.items())


def sample(pattern):
    """A well-formed value for a path: 1, or an id of the kind that the pattern names."""
    kind = re.match(r"\^?([a-z]*)", pattern)[1]
    return next((text for text in ("1", f"{kind}_1", f"{kind}_{'0' * 26}") if re.search(pattern, text)), "1")


class Endpoint:
    """One operation of the OpenAPI document."""

    def __init__(self, daemon, method, path, operation):
        self.daemon, self.method, self.path = daemon, method.upper(), path
        patterns = {parameter["name"]: parameter["schema"].get("pattern", "") for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
        self.target = re.sub(r"\{([^}]*)\}", lambda name: sample(patterns.get(name[1], "")), path)
        self.headers = {}
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        self.properties = body.get("schema", {}).get("properties", {})
        self.idempotency = any(parameter["name"].lower() == "idempotency-key" for parameter in operation.get("parameters", []))

    def __str__(self):
        return f"{self.method} {self.path}"

    def send(self, target=None, body=None, headers=(), method=None):
        return call(self.daemon.sock, method or self.method, target or self.target, body, {**self.headers, **dict(headers)})

    def learn_caller(self):
        """Calls between daemons are made as one of them, so that the abuse gets past the ring."""
        if self.send(body=b'{"zzz":1}' if self.method == "POST" else None, target=self.target + ("" if self.method == "POST" else "?zzz=1")).status == 403:
            self.headers = {"X-Osmoda-Actor": "daemon:watch"}

    def abuse(self):
        """Every case as (name, reply, accepted statuses)."""
        if self.method == "POST":
            for name, (body, statuses) in BODIES.items():
                yield name, self.send(body=body), statuses
            for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json5", "", "application/json\xff"]:
                yield f"content type {kind!r}", self.send(body=b'{"zzz":1}', headers={"Content-Type": kind}), {415}
            yield "arguments in the query", self.send(target=self.target + "?zzz=1", body={}), {422}
            for field, schema in self.properties.items():
                for kind, value in VALUES.items():
                    if kind not in types(schema):
                        yield f"{field} of type {kind}", self.send(body={field: value}), {422}
                yield f"{field} with a NUL", self.send(body={field: "a\0b"}), {422}
        else:
            for name, (query, statuses) in QUERIES.items():
                yield name, self.send(target=f"{self.target}?{query}"), statuses
            yield "a body", self.send(body=b"{}"), {400}
        if "{" in self.path:
            for value in IDS:
                yield f"id {value[:24]}", self.send(target=re.sub(r"\{[^}]*\}", value, self.path)), {400, 404, 422, 503}
        for name, (headers, statuses) in HEADERS.items():
            headers = {key: value.encode("latin-1") for key, value in headers.items()}
            if "X-Osmoda-Actor" in headers or not self.headers:
                yield name, self.send(headers=headers), statuses
        for target in [f"/{urllib.parse.quote(self.path, safe='')}", self.target + "/", "/" + self.target, self.target + "/%2e%2e", self.target.upper() + "X"]:
            yield f"path {target}", self.send(target=target), {400, 404}
        if self.idempotency:
            for key in ["short", "x" * 129, "with space", "t\tab56789"]:
                yield f"Idempotency-Key {key[:12]!r}", self.send(body={}, headers={"Idempotency-Key": key}), {400, 422}


def types(schema):
    """JSON types that a schema may take, as far as it says so on its surface."""
    if "anyOf" in schema or "oneOf" in schema:
        return set().union(*(types(part) for part in schema.get("anyOf", []) + schema.get("oneOf", [])))
    kinds = schema.get("type", list(VALUES))
    kinds = set(kinds if isinstance(kinds, list) else [kinds])
    return kinds | {"number"} if "integer" in kinds else kinds


def endpoints(daemon):
    """Every operation of the daemon, and its document."""
    document = json.loads(daemon.call("GET", "/openapi.json").body)
    found = [Endpoint(daemon, method, path, operation) for path, item in document["paths"].items() for method, operation in item.items()]
    for endpoint in found:
        endpoint.learn_caller()
    return found
