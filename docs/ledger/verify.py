#!/usr/bin/env python3
"""verify.py EXPORT [--against NOTE]: verifies a ledger export as README.md says, all but witness cosignatures.
Exit codes: 0 ok, 1 broken at an id, 2 checkpoint mismatch, 3 truncated against a checkpoint, 4 unreadable."""
import hashlib
import json
import re
import sys

import tree
from notes import holds, signed, size_of

NAME = "[A-Za-z0-9_.:@/-]{1,128}"
FIELDS = re.compile(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {NAME} {NAME}", re.ASCII)
CREATED, CHANGED = "agentd.ledger.created", "agentd.ledger.signer.changed"

def follows(event, size, last, time, key):
    """Whether the event may stand after `size` others, and the signing key in force after it."""
    number, ts, kind, _, payload, prev = row = [event[c] for c in "id ts type actor payload prev_hash".split()]
    good = number == size + 1 and prev == last and ts >= time and bool(FIELDS.fullmatch(" ".join(row[1:4])))
    good &= hashlib.sha256("|".join(map(str, row)).encode()).hexdigest() == event["hash"]
    good &= (kind == CREATED) == (size == 0)
    data = json.loads(payload) if kind in (CREATED, CHANGED) else None
    if kind == CREATED:
        good &= (data["v"], data["signer"], data["origin"]) == (1, key, key.split("+")[0])
    if kind == CHANGED:
        old, key = key, data["to"]
        good &= (data["v"], data["from"], key.split("+")[0]) == (1, old, old.split("+")[0])
        good &= signed(old, f"osmoda-signer-change/v1\n{old}\n{key}\n", data["signature"])
    return good, key

def main(export, *against):
    lines, waiting = open(export, "rb"), [open(path, encoding="utf-8", newline="").read() for path in against]
    header = json.loads(next(lines))["export"]
    key, after = header["signer"], header.get("after", {"size": 0, "hash": "0" * 64, "peaks": []})
    size, last, time, peaks = after["size"], after["hash"], "", [bytes.fromhex(peak) for peak in after["peaks"]]
    for line in lines:
        try:
            [(kind, value)] = json.loads(line).items()
            good, key = (True, key) if kind == "checkpoint" else follows({"event": value}[kind], size, last, time, key)
        except (ValueError, KeyError, TypeError, AttributeError):
            good = False
        if not good:
            return 1, f"broken at {size + 1}"
        if kind == "checkpoint":
            waiting.append(value)
        else:
            size, last, time = size + 1, value["hash"], value["ts"]
            tree.append(peaks, size, last)
        for note in [note for note in waiting if size_of(note) <= size]:
            if size_of(note) < size or not holds(note, key, tree.root(peaks)):
                return 2, f"the checkpoint of size {size_of(note)} does not hold"
            waiting.remove(note)
    if not size:
        return 3 if waiting else 1, "there are no events"
    if not all(holds(note, key) for note in waiting):
        return 2, "a checkpoint beyond the end is not this ledger's"
    return 3 if waiting else 0, f"verified to {size}" + "".join(f" of {size_of(note)}" for note in waiting)

if __name__ == "__main__":
    try:
        code, text = main(*(argument for argument in sys.argv[1:] if argument != "--against"))
    except Exception as error:
        code, text = 4, f"unreadable: {error!r}"
    print(text)
    sys.exit(code)
