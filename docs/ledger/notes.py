"""Signed checkpoints (C2SP signed-note and tlog-checkpoint), as far as verify.py needs them."""
import base64

import ed25519


def size_of(note):
    """The size a note speaks of; 0, which no checkpoint of a ledger has, when there is none."""
    size = note.split("\n")[1] if isinstance(note, str) and "\n" in note else ""
    return int(size) if size.isascii() and size.isdigit() else 0


def signed(key, message, signature):
    """Whether the base64 signature of the message is by the key: name+id+base64(0x01 || 32 bytes)."""
    public = base64.b64decode(key.split("+", 2)[2])[1:]
    return ed25519.verify(public, message.encode(), base64.b64decode(signature))


def holds(note, key, root=None):
    """Whether the note is a checkpoint of the key's log with this root (if one is given), signed by the key."""
    try:
        text, (name, key_id) = note[:note.rindex("\n\n") + 1], key.split("+")[:2]
        origin, _, root64 = text.splitlines()
        lines = [line.split(" ") for line in note[len(text) + 1:].splitlines()]
        blobs = [base64.b64decode(blob) for dash, signer, blob in lines if (dash, signer) == ("\u2014", name)]
        mine = [base64.b64encode(blob[4:]) for blob in blobs if blob[:4].hex() == key_id]
        return origin == name and root in (None, base64.b64decode(root64)) and signed(key, text, *mine)
    except (ValueError, TypeError):
        return False
