CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('min_reader', 1);

-- The published form of the ledger. Its hash covers exactly these columns, so none is ever added.
CREATE TABLE events ( id INTEGER PRIMARY KEY AUTOINCREMENT, ts TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')), type TEXT NOT NULL, actor TEXT NOT NULL, payload TEXT NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL );

-- Every index entry ends in the rowid, so each of these gives the ids of one type, or of one actor's type, in order.
CREATE INDEX events_type ON events (type);
CREATE INDEX events_actor ON events (actor, type);

-- A guard against accidents. Who can write the file can drop it; the chain and the checkpoints find that.
CREATE TRIGGER events_never_change BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;
CREATE TRIGGER events_never_go BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

-- Roots of complete subtrees of 2^level leaves, at the levels 8, 16, 24, …: a cache of events.
CREATE TABLE tiles (
    level INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL
) STRICT;

-- The newest outbox of each daemon, and where its chain stands.
CREATE TABLE sources (
    source TEXT PRIMARY KEY,
    epoch TEXT NOT NULL,
    last_seq INTEGER NOT NULL,
    head TEXT NOT NULL
) STRICT, WITHOUT ROWID;
