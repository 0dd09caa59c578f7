CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('min_reader', 1), ('entries', 0);

-- An index of the Markdown files, never the truth. `place` is created_at in seconds times 65536 and a number, so that
-- rowids of entries, and with them those of their words, are in the order of time.
CREATE TABLE entries (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL UNIQUE,
    mtime_ns INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    category TEXT NOT NULL,
    tags TEXT NOT NULL,
    summary TEXT NOT NULL,
    detail TEXT NOT NULL,
    trusted INTEGER NOT NULL,
    event INTEGER NOT NULL,
    sameness BLOB NOT NULL,
    topic INTEGER
) STRICT;
CREATE INDEX entries_category ON entries (category);
CREATE INDEX entries_sameness ON entries (sameness);
CREATE INDEX entries_topic ON entries (topic) WHERE topic IS NOT NULL;

-- What an entry can be forgotten by.
CREATE TABLE origins (
    name TEXT NOT NULL,
    place INTEGER NOT NULL REFERENCES entries (place) ON DELETE CASCADE,
    PRIMARY KEY (name, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX origins_place ON origins (place);

CREATE TABLE supersedes (
    old_id TEXT NOT NULL,
    place INTEGER NOT NULL REFERENCES entries (place) ON DELETE CASCADE,
    PRIMARY KEY (old_id, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX supersedes_place ON supersedes (place);

-- Files that are no entry.
CREATE TABLE malformed (
    path TEXT PRIMARY KEY,
    mtime_ns INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE words USING fts5(
    summary, detail, tags, category, content = 'entries', content_rowid = 'place', tokenize = 'porter unicode61'
);
-- What is forgotten is not left in the index either.
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);

CREATE TRIGGER entries_added AFTER INSERT ON entries
BEGIN
    INSERT INTO words (rowid, summary, detail, tags, category)
    VALUES (new.place, new.summary, new.detail, new.tags, new.category);
    UPDATE meta SET value = value + 1 WHERE key = 'entries';
END;
CREATE TRIGGER entries_gone AFTER DELETE ON entries
BEGIN
    INSERT INTO words (words, rowid, summary, detail, tags, category)
    VALUES ('delete', old.place, old.summary, old.detail, old.tags, old.category);
    UPDATE meta SET value = value - 1 WHERE key = 'entries';
END;
