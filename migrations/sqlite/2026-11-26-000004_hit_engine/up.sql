-- The hit engine: hits are appended to a log and folded into the ledger later; what the ledger holds for
-- rankings, series, channels and visitors.

-- A flush of one node: the hits of one transaction, as postcard bytes. Counts are the ledger's rows and
-- what stands here. (With rowids: the payloads are long, and would be read whole to find a key.)
CREATE TABLE hit_log (
    node INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (node, seq)
) STRICT;

-- What of the log has been put together to be folded in, by articles.
CREATE TABLE hit_parts (
    id INTEGER NOT NULL PRIMARY KEY,
    payload BLOB NOT NULL
) STRICT;

-- The nodes that write to the log; folded: the last seq that is no longer in it. Node 0 is what changes
-- the ledger by other ways: its number goes up each time.
CREATE TABLE hit_nodes (
    node INTEGER NOT NULL PRIMARY KEY,
    folded INTEGER NOT NULL,
    alive_at TEXT NOT NULL
) STRICT;
INSERT INTO hit_nodes (node, folded, alive_at) VALUES (0, 0, '1970-01-01 00:00:00.000000');

-- The ledger. web to other: where what was counted was viewed. today, week and month: views of the day,
-- and of the 7 and the 30 days up to it; when the day is past they are too high, never too low.
ALTER TABLE hit_totals RENAME TO hit_totals_before;
CREATE TABLE hit_totals (
    article_id INTEGER NOT NULL PRIMARY KEY,
    baseline INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    adjusted INTEGER NOT NULL,
    total INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    bot INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    web INTEGER NOT NULL,
    h5 INTEGER NOT NULL,
    app INTEGER NOT NULL,
    mini INTEGER NOT NULL,
    other INTEGER NOT NULL,
    day TEXT NOT NULL,
    today INTEGER NOT NULL,
    week INTEGER NOT NULL,
    month INTEGER NOT NULL,
    last_at TEXT,
    CHECK (total = baseline + counted + adjusted),
    CHECK (counted = web + h5 + app + mini + other)
) STRICT;
INSERT INTO hit_totals
SELECT t.article_id, t.baseline, t.counted, t.adjusted, t.baseline + t.counted + t.adjusted,
       t.duplicate, t.bot, t.rejected, 0, 0, 0, 0, t.counted,
       '1970-01-01', coalesce(d.hits, 0), coalesce(d.hits, 0), coalesce(d.hits, 0), t.last_at
FROM hit_totals_before t
LEFT JOIN (SELECT article_id, CAST(sum(hits) AS bigint) AS hits FROM hit_days GROUP BY article_id) d
    ON d.article_id = t.article_id;
DROP TABLE hit_totals_before;
CREATE INDEX hit_totals_total ON hit_totals (total, article_id) WHERE total > 0;
CREATE INDEX hit_totals_today ON hit_totals (today, article_id) WHERE today > 0;
CREATE INDEX hit_totals_week ON hit_totals (week, article_id) WHERE week > 0;
CREATE INDEX hit_totals_month ON hit_totals (month, article_id) WHERE month > 0;
CREATE INDEX hit_totals_day ON hit_totals (day, article_id) WHERE month > 0;
CREATE INDEX hit_totals_last_at ON hit_totals (last_at, article_id) WHERE last_at IS NOT NULL;

-- visitors: estimated from the sketch (HyperLogLog), which is dropped when the day is past changing.
ALTER TABLE hit_days ADD COLUMN visitors INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hit_days ADD COLUMN sketch BLOB;
DROP INDEX hit_days_day;
CREATE INDEX hit_days_day ON hit_days (day, article_id);

-- What days become when they are rolled up.
CREATE TABLE hit_months (
    article_id INTEGER NOT NULL,
    month TEXT NOT NULL,
    hits INTEGER NOT NULL,
    visitors INTEGER NOT NULL,
    PRIMARY KEY (article_id, month)
) STRICT, WITHOUT ROWID;
CREATE INDEX hit_months_month ON hit_months (month, article_id);

-- The last hours, each by its first instant.
CREATE TABLE hit_hours (
    article_id INTEGER NOT NULL,
    hour TEXT NOT NULL,
    hits INTEGER NOT NULL,
    PRIMARY KEY (article_id, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX hit_hours_hour ON hit_hours (hour, article_id);

-- Sums over what is listed in a section (0: the site) now: unit is "total" (its slot 1970-01-01),
-- "day" or "month" (of what was rolled up). Listings and ledgers keep them right together.
CREATE TABLE hit_sums (
    section_id INTEGER NOT NULL,
    unit TEXT NOT NULL,
    slot TEXT NOT NULL,
    hits INTEGER NOT NULL,
    PRIMARY KEY (section_id, unit, slot)
) STRICT, WITHOUT ROWID;
INSERT INTO hit_sums
SELECT l.section_id, 'total', '1970-01-01', CAST(sum(t.total) AS bigint)
FROM listings l JOIN hit_totals t ON t.article_id = l.article_id GROUP BY l.section_id;
INSERT INTO hit_sums
SELECT l.section_id, 'day', d.day, CAST(sum(d.hits) AS bigint)
FROM listings l JOIN hit_days d ON d.article_id = l.article_id GROUP BY l.section_id, d.day;
