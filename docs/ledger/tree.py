"""The Merkle tree of RFC 6962, kept as the roots of its largest complete subtrees, largest first."""
import functools
import hashlib


def sha(data):
    return hashlib.sha256(data).digest()


def append(peaks, size, hash_hex):
    """Adds the leaf that makes the tree `size` leaves large."""
    peaks.append(sha(b"\0" + hash_hex.encode()))
    while len(peaks) > size.bit_count():  # two subtrees of one size become one
        peaks[-2:] = [sha(b"\1" + peaks[-2] + peaks[-1])]


def root(peaks):
    return functools.reduce(lambda right, left: sha(b"\1" + left + right), reversed(peaks))
