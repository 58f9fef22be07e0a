-- The addresses that articles had in older systems, to find articles by. head: the first 400 characters,
-- which PostgreSQL can index whatever they are; url is compared whole.
CREATE TABLE article_legacy_urls (
    article_id INTEGER NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    head TEXT NOT NULL,
    url TEXT NOT NULL,
    PRIMARY KEY (article_id, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX article_legacy_urls_head ON article_legacy_urls (head);
INSERT INTO article_legacy_urls (article_id, ordinal, head, url)
SELECT d.article_id, u.key, substr(u.value, 1, 400), u.value
FROM article_details d, json_each(d.legacy_urls) u;
