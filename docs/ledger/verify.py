#!/usr/bin/env python3
"""Verifies an osModa ledger export: verify.py EXPORT [--against NOTE]. Format and exit codes: README.md."""
import base64, hashlib, json, re, sys

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # Ed25519 (RFC 8032): field, group order
D, ROOT = -121665 * pow(121666, -1, P) % P, pow(2, (P - 1) // 4, P)
TS, NAME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", r"[A-Za-z0-9_.:@/-]{1,128}"

def add(a, b):  # points are (x, y)
    t = D * a[0] * b[0] * a[1] * b[1] % P
    return ((a[0] * b[1] + a[1] * b[0]) * pow(1 + t, -1, P) % P, (a[1] * b[1] + a[0] * b[0]) * pow(1 - t, -1, P) % P)
def times(n, point):
    return (0, 1) if n == 0 else add(times(n - 1, point), point) if n & 1 else times(n // 2, add(point, point))
def point(data):
    n = int.from_bytes(data, "little"); y, sign = n % 2**255, n >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P); x = x if x * x % P == square else x * ROOT % P
    if x * x % P != square or y >= P or (x == 0 and sign): raise ValueError("not a point on the curve")
    return (x if x & 1 == sign else P - x, y)
BASE = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
def signed(key, message, signature):
    s, k = int.from_bytes(signature[32:], "little"), hashlib.sha512(signature[:32] + key + message).digest()
    right = add(point(signature[:32]), times(int.from_bytes(k, "little") % L, point(key)))
    return len(signature) == 64 and s < L and times(s, BASE) == right
def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def b64(text): return base64.b64decode(text, validate=True)
def stop(code, text): print(text); sys.exit(code)
def public(vkey): return b64(vkey.split("+", 2)[2])[1:]  # name+id+base64(0x01 || key)
def check(note, signer):
    text, _, lines = note.rpartition("\n\n"); text += "\n"
    keys = [b64(line.split(" ")[2]) for line in lines.splitlines() if line.split(" ")[1] == signer.split("+")[0]]
    mine = [key[4:] for key in keys if key[:4].hex() == signer.split("+")[1]]
    return len(mine) == 1 and text.split("\n")[0] == signer.split("+")[0] and signed(public(signer), text.encode(), mine[0])
def size(note): return int(note.split("\n")[1])

def verify(lines, waiting):
    head = json.loads(next(lines))["export"]; after = head.get("after") or {"size": 0, "hash": "0" * 64, "peaks": []}
    n, last, time, signer = after["size"], after["hash"], "", head["signer"]
    peaks = [bytes.fromhex(peak) for peak in after["peaks"]]  # roots of the largest complete subtrees, largest first
    for line in lines:
        try:
            entry = json.loads(line)
            if "checkpoint" in entry: waiting.append(entry["checkpoint"])
            else:
                e = entry["event"]; ts, kind, payload = e["ts"], e["type"], json.loads(e["payload"])
                digest = sha("|".join(str(e[c]) for c in "id ts type actor payload prev_hash".split()).encode()).hex()
                made = kind == "agentd.ledger.created" and payload["signer"] == signer and payload["origin"] == head["origin"]
                hand = kind == "agentd.ledger.signer.changed" and payload["from"] == signer and signed(public(signer),
                    f"osmoda-signer-change/v1\n{signer}\n{payload['to']}\n".encode(), b64(payload["signature"]))
                if (e["id"], e["hash"], e["prev_hash"]) != (n + 1, digest, last) or ts < time or made != (n == 0) or not (
                    re.fullmatch(TS, ts) and re.fullmatch(NAME, kind) and re.fullmatch(NAME, e["actor"])
                    ) or (kind == "agentd.ledger.signer.changed" and not hand): raise ValueError
