-- The life cycle: the change log, revisions, the trash, preview links, safe writes.
-- The twin of this file is in migrations/sqlite.

-- When it went into the trash, or when the coming of `expires_at` archived it; null in all else.
ALTER TABLE articles ADD COLUMN ended_at timestamptz;
-- From now on: nobody was told before that it would be emptied.
UPDATE articles SET ended_at = now() WHERE status = 'trashed';

-- What the ticker looks for: see articles::due.
CREATE INDEX articles_scheduled ON articles (published_at) WHERE status = 'scheduled';
CREATE INDEX articles_ending ON articles (expires_at)
    WHERE status IN ('scheduled', 'published') AND expires_at IS NOT NULL;
CREATE INDEX articles_expired ON articles (expires_at) WHERE status = 'archived' AND ended_at IS NOT NULL;
CREATE INDEX articles_trashed ON articles (ended_at) WHERE status = 'trashed';
CREATE INDEX articles_position ON articles (section_id, position) WHERE position IS NOT NULL;

-- Related articles set by hand, in order.
CREATE TABLE article_related (
    article_id bigint NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    related_id bigint NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    ordinal bigint NOT NULL,
    PRIMARY KEY (article_id, related_id)
);
CREATE INDEX article_related_related_id ON article_related (related_id);

-- The change log: one row for each article and section that there ever was; a change moves it to a
-- new `seq`. resource: "article" or "section". op: "upsert": public as of `at`; "delete": was public
-- once and isn't; "none": never was public.
CREATE TABLE changes (
    seq bigint NOT NULL PRIMARY KEY,
    resource text NOT NULL,
    entity_id bigint NOT NULL,
    op text NOT NULL,
    at timestamptz NOT NULL,
    UNIQUE (resource, entity_id)
);
CREATE INDEX changes_public ON changes (seq) WHERE op <> 'none';
CREATE INDEX changes_public_of ON changes (resource, seq) WHERE op <> 'none';

INSERT INTO changes (seq, resource, entity_id, op, at)
SELECT row_number() OVER (ORDER BY id), 'section', id,
       CASE WHEN shown THEN 'upsert' ELSE 'none' END, updated_at
FROM sections;
-- What came due since it was written gets its change from the ticker.
INSERT INTO changes (seq, resource, entity_id, op, at)
SELECT (SELECT coalesce(max(seq), 0) FROM changes) + row_number() OVER (ORDER BY id), 'article', id,
       CASE WHEN live AND status = 'published' THEN 'upsert' ELSE 'none' END, updated_at
FROM articles;

-- Every save of an article. `content` is all that editors can change, as JSON; `changed` the names
-- of what differs from the version before. `kept` ones outlive any retention: the newest, and the
-- newest that was released.
CREATE TABLE revisions (
    article_id bigint NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    version bigint NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    actor_id bigint,
    actor_name text,
    note text,
    status text NOT NULL,
    kept boolean NOT NULL,
    changed jsonb NOT NULL,
    content jsonb NOT NULL,
    PRIMARY KEY (article_id, version)
);
CREATE INDEX revisions_at ON revisions (at) WHERE NOT kept;

-- The preview link of an article that has one: a new one has another `serial`.
CREATE TABLE preview_links (
    article_id bigint NOT NULL PRIMARY KEY REFERENCES articles (id) ON DELETE CASCADE,
    serial bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);

-- Random keys that all nodes share, by what they are for.
CREATE TABLE secrets (
    name text NOT NULL PRIMARY KEY,
    value bytea NOT NULL,
    created_at timestamptz NOT NULL
);

-- Requests with an Idempotency-Key. `request` is the SHA-256 of what was asked. `answer` is null
-- while the request is worked on; `claim` tells whose work that is.
CREATE TABLE idempotency_keys (
    caller text NOT NULL,
    key text NOT NULL,
    request bytea NOT NULL,
    claim bytea NOT NULL,
    claimed_at timestamptz NOT NULL,
    answer jsonb,
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_keys_claimed_at ON idempotency_keys (claimed_at);
