-- Access: roles per section, API keys, one-time links, the audit log.
-- The twin of this file is in migrations/postgres.

-- `sections`: ids of the sections that the account may work in, with all below them; null: everywhere.
-- An empty `password_hash` is no password: nobody can sign in.
ALTER TABLE users ADD COLUMN name TEXT;
ALTER TABLE users ADD COLUMN sections TEXT;
ALTER TABLE users ADD COLUMN last_login_at TEXT;

ALTER TABLE sessions ADD COLUMN last_used_at TEXT;
ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN user_agent TEXT;

-- From when on the key signs; null: from `created_at`. The newest that has begun signs, those before
-- it are good until the tokens that they signed have expired.
ALTER TABLE signing_keys ADD COLUMN signs_from TEXT;

-- `hash` is the SHA-256 of the key, `prefix` its first characters. After a rotation the old key is
-- good until `old_expires_at`.
CREATE TABLE api_keys (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    old_hash BLOB UNIQUE,
    old_expires_at TEXT,
    scopes TEXT NOT NULL,
    sections TEXT,
    expires_at TEXT,
    last_used_at TEXT,
    created_by INTEGER,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;

-- One-time tokens to set a password with, by SHA-256; an account has one at most.
CREATE TABLE password_resets (
    user_id INTEGER NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hash BLOB NOT NULL UNIQUE,
    expires_at TEXT NOT NULL
) STRICT;

-- Who did what. actor: "account", "api_key", "system" (the command line) or "anonymous"; its name
-- is the e-mail address or the key's name at that time. `changes` is a list of
-- {"member", "before", "after"}.
CREATE TABLE audit (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    event TEXT NOT NULL,
    actor TEXT NOT NULL,
    actor_id INTEGER,
    actor_name TEXT,
    address TEXT,
    request_id TEXT,
    resource TEXT,
    resource_id INTEGER,
    changes TEXT NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_event ON audit (event, id);
CREATE INDEX audit_actor ON audit (actor, actor_id, id);
CREATE INDEX audit_resource ON audit (resource, resource_id, id);
CREATE INDEX audit_request_id ON audit (request_id, id);
