-- The addresses that articles had in older systems, to find articles by. head: the first 400 characters,
-- which PostgreSQL can index whatever they are; url is compared whole.
CREATE TABLE article_legacy_urls (
    article_id bigint NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    ordinal bigint NOT NULL,
    head text COLLATE "C" NOT NULL,
    url text NOT NULL,
    PRIMARY KEY (article_id, ordinal)
);
CREATE INDEX article_legacy_urls_head ON article_legacy_urls (head);
INSERT INTO article_legacy_urls (article_id, ordinal, head, url)
SELECT d.article_id, u.place - 1, substr(u.url, 1, 400), u.url
FROM article_details d, jsonb_array_elements_text(d.legacy_urls) WITH ORDINALITY AS u (url, place);
