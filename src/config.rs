//! Settings, from the environment or `.env`. Every one is in `.env.example`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use thiserror::Error;
use url::Url;

use crate::clock::SiteZone;
use crate::db::{DbSettings, DbUrl, HitsSync};
use crate::http::keys::KeyHeader;

/// A setting that can't be used: its name and how to mend it, in one line.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{name} {problem}")]
pub struct ConfigError {
    /// Name of the environment variable.
    pub name: &'static str,
    /// What is wrong and how to mend it.
    pub problem: String,
}

/// All settings, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database: DbUrl,
    /// `LANMU_REPLICA_URLS`: streaming replicas of a PostgreSQL that delivery may read from.
    pub replicas: Vec<DbUrl>,
    /// `LANMU_DB_CONNECTIONS`.
    pub db_connections: u32,
    /// `LANMU_DB_WAIT_MS`.
    pub db_wait: Duration,
    /// `LANMU_DB_QUEUE`.
    pub db_queue: usize,
    /// `LANMU_LISTEN`.
    pub listen: SocketAddr,
    /// `LANMU_WORKERS`.
    pub workers: usize,
    /// The site as its readers see it.
    pub site: Site,
    /// `LANMU_SIGNING_KEY_FILE`.
    pub signing_key_file: Option<PathBuf>,
    /// `LANMU_TOKEN_ISSUER`: the `iss` of access tokens.
    pub token_issuer: String,
    /// `LANMU_TRUSTED_PROXIES`.
    pub trusted_proxies: Vec<IpNet>,
    /// `LANMU_CORS_ORIGINS`, each `scheme://host[:port]`.
    pub cors_origins: Vec<String>,
    /// `LANMU_HIT_WINDOW`; zero: every view counts.
    pub hit_window: Duration,
    /// `LANMU_HITS_QUEUE`: how many hits may wait to be written.
    pub hits_queue: usize,
    /// `LANMU_HITS_SYNC`: when hits are on SQLite's disk.
    pub hits_sync: HitsSync,
    /// `LANMU_CACHE_MB`: how many bytes of delivery's answers are kept; 0: none.
    pub cache_bytes: u64,
    /// `LANMU_HITS_FOLD_MS`: how long it is at least from one folding of hits to the next; `None`: this
    /// node never folds.
    pub hits_fold: Option<Duration>,
    /// `LANMU_HITS_DAYS`: how long days are kept before they become months; `None`: for good.
    pub hits_days: Option<i64>,
    /// `LANMU_HITS_MONTHS`: how long months are kept; `None`: for good.
    pub hits_months: Option<i64>,
    /// How much one client may ask for; `None`: `LANMU_RATE_LIMIT` is off.
    pub rates: Option<Rates>,
    /// `LANMU_MAX_BODY_BYTES`.
    pub max_body_bytes: usize,
    /// `LANMU_BODY_SECONDS`: how long a body may take to arrive.
    pub body_time: Duration,
    /// `LANMU_SEND_SECONDS`: how long a client may take nothing of an answer that is being sent.
    pub send_time: Duration,
    /// `LANMU_SHUTDOWN_SECONDS`.
    pub shutdown: Duration,
    /// `LANMU_CACHE_ARTICLE`.
    pub cache_article: CachePolicy,
    /// `LANMU_CACHE_LIST`.
    pub cache_list: CachePolicy,
    /// `LANMU_CACHE_SECTION`.
    pub cache_section: CachePolicy,
    /// `LANMU_CDN_KEYS`: how answers carry the keys by which caches elsewhere drop them; `None`: not at all.
    pub cdn_keys: Option<KeyHeader>,
    /// `LANMU_PURGE_URLS`: the caches that are told what writes change.
    pub purge_urls: Vec<Url>,
    /// `LANMU_AUDIT_DAYS`: how long the audit log is kept; `None`: for good.
    pub audit_days: Option<i64>,
    /// `LANMU_TICK_MS`: how often what time has made of articles is written down; `None`: never, by
    /// this node.
    pub tick: Option<Duration>,
    /// `LANMU_TRASH_DAYS`: how long articles lie in the trash; `None`: until somebody deletes them.
    pub trash_days: Option<i64>,
    /// `LANMU_REVISIONS_KEEP`: how many revisions of an article are kept; `None`: all.
    pub revisions_keep: Option<i64>,
    /// `LANMU_REVISIONS_DAYS`: how long revisions are kept; `None`: for good.
    pub revisions_days: Option<i64>,
    /// `LANMU_RESET_URL`: a web address with `{token}` in it.
    pub reset_url: Option<String>,
    /// `LANMU_PREVIEW_HOURS`: how long a preview link is good where nothing else is asked for.
    pub preview_hours: i64,
    /// `LANMU_PREVIEW_URL`: a web address with `{token}` in it.
    pub preview_url: Option<String>,
    /// `LANMU_CHECK_WORDS_FILE`: the words that articles must not have, one a line.
    pub check_words_file: Option<PathBuf>,
    /// `LANMU_CHECK_BLOCKS`: names of the checks without which nothing is published.
    pub check_blocks: Vec<String>,
    /// `LANMU_LOG`: a filter as in `tracing-subscriber`.
    pub log: String,
    /// `LANMU_LOG_FORMAT`.
    pub log_format: LogFormat,
}

/// The site as its readers see it.
#[derive(Debug, Clone)]
pub struct Site {
    /// `LANMU_SITE_NAME`.
    pub name: String,
    /// `LANMU_HOME_NAME`: the breadcrumb's first step.
    pub home_name: String,
    /// `LANMU_SITE_URL`, without a slash at the end.
    pub url: Option<String>,
    /// `LANMU_ARTICLE_URL`: a web address with `{id}` and `{slug}` in it.
    pub article_url: Option<String>,
    /// `LANMU_LOCALE` (BCP 47): the language of articles that name none.
    pub locale: String,
    /// `LANMU_TIME_ZONE`.
    pub zone: SiteZone,
}

impl Site {
    /// The web address of an article, where the settings tell one.
    pub fn article_address(&self, id: i64, slug: &str) -> Option<String> {
        let template = self.article_url.as_ref()?;
        Some(
            template
                .replace("{id}", &id.to_string())
                .replace("{slug}", slug),
        )
    }
}

/// Requests per minute of one address, account or API key, and as many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// `LANMU_RATE_READS`.
    pub reads: u32,
    /// `LANMU_RATE_WRITES`.
    pub writes: u32,
    /// `LANMU_RATE_HITS`: hits recorded.
    pub hits: u32,
}

/// How long caches may keep an answer, in seconds (RFC 9111, RFC 5861).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePolicy {
    /// Browsers.
    pub max_age: u32,
    /// Shared caches.
    pub s_maxage: u32,
    /// How long a stale answer may be served while a fresh one is fetched.
    pub stale_while_revalidate: u32,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Windows reach back 30 days, and hits may come 7 days late.
const MIN_HITS_DAYS: i64 = 40;

impl Config {
    /// Settings of the process: its environment, and `.env` for what the environment leaves out.
    pub fn from_env() -> Result<Self, ConfigError> {
        match dotenvy::dotenv() {
            Ok(_) => {}
            Err(error) if error.not_found() => {}
            Err(error) => {
                return Err(ConfigError {
                    name: ".env",
                    problem: unreadable(&error),
                });
            }
        }
        #[allow(
            clippy::disallowed_methods,
            reason = "the one place that reads the environment"
        )]
        Self::from_lookup(&|name| std::env::var(name).ok())
    }

    /// Settings by name from anywhere. Blank ones count as not given.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = Lookup(lookup);
        let site_url = get.url("LANMU_SITE_URL")?;
        let token_issuer = match get.text("LANMU_TOKEN_ISSUER") {
            Some(issuer) => token_issuer(issuer)?,
            None => site_url.clone().unwrap_or_else(|| "lanmu".into()),
        };
        let article_url = match get.text("LANMU_ARTICLE_URL") {
            Some(template) => Some(article_template(template)?),
            None => site_url
                .as_ref()
                .map(|url| format!("{url}/articles/{{id}}")),
        };
        let database = get.parsed("DATABASE_URL", "sqlite://data/lanmu.db", |text| {
            DbUrl::parse(text).map_err(|e| e.to_string())
        })?;
        let cdn_keys = get.parsed("LANMU_CDN_KEYS", "off", |text| match text {
            "surrogate-key" => Ok(Some(KeyHeader::SurrogateKey)),
            "cache-tag" => Ok(Some(KeyHeader::CacheTag)),
            "off" => Ok(None),
            _ => Err("must be surrogate-key, cache-tag or off".into()),
        })?;
        let purge_urls = get.list("LANMU_PURGE_URLS", purge_url)?;
        if cdn_keys.is_none() && !purge_urls.is_empty() {
            return Err(ConfigError {
                name: "LANMU_PURGE_URLS",
                problem: "needs LANMU_CDN_KEYS, which says how answers carry what is purged: \
                          set it to surrogate-key or cache-tag"
                    .into(),
            });
        }
        Ok(Self {
            cdn_keys,
            purge_urls,
            replicas: get.replicas(&database)?,
            database,
            db_connections: get.number("LANMU_DB_CONNECTIONS", 8, 1..=500)?,
            db_wait: Duration::from_millis(get.number("LANMU_DB_WAIT_MS", 3000, 10..=60_000)?),
            db_queue: get.number("LANMU_DB_QUEUE", 1000, 0..=100_000)?,
            listen: get.parsed("LANMU_LISTEN", "127.0.0.1:8080", |text| {
                text.parse()
                    .map_err(|_| "is no address and port: write e.g. 127.0.0.1:8080".into())
            })?,
            workers: get.number("LANMU_WORKERS", default_workers(), 1..=256)?,
            site: Site {
                name: get
                    .text("LANMU_SITE_NAME")
                    .unwrap_or_else(|| "Lanmu".into()),
                home_name: get.text("LANMU_HOME_NAME").unwrap_or_else(|| "首页".into()),
                url: site_url,
                article_url,
                locale: get.parsed("LANMU_LOCALE", "zh-CN", |text| {
                    crate::http::fields::canonical_language(text)
                        .ok_or_else(|| "is no BCP 47 language tag: write e.g. zh-CN".into())
                })?,
                zone: get.parsed("LANMU_TIME_ZONE", "Asia/Shanghai", |text| {
                    text.parse()
                        .map(SiteZone)
                        .map_err(|_| "is no IANA time zone: write e.g. Asia/Shanghai".into())
                })?,
            },
            signing_key_file: get.text("LANMU_SIGNING_KEY_FILE").map(PathBuf::from),
            token_issuer,
            trusted_proxies: get.list("LANMU_TRUSTED_PROXIES", |item| {
                let net = item.parse::<IpNet>().ok();
                let host = item.parse::<std::net::IpAddr>().ok().map(IpNet::from);
                net.or(host).ok_or_else(|| {
                    format!("has {item:?}, which is no address range: write e.g. 10.0.0.0/8")
                })
            })?,
            cors_origins: get.list("LANMU_CORS_ORIGINS", origin)?,
            hit_window: Duration::from_secs(60 * get.number("LANMU_HIT_WINDOW", 30, 0..=1440)?),
            hits_queue: get.number("LANMU_HITS_QUEUE", 20_000, 1..=10_000_000)?,
            hits_sync: get.parsed("LANMU_HITS_SYNC", "full", |text| match text {
                "full" => Ok(HitsSync::Full),
                "normal" => Ok(HitsSync::Normal),
                _ => Err("must be full or normal".into()),
            })?,
            cache_bytes: get.number("LANMU_CACHE_MB", 64, 0..=1_000_000)? << 20,
            hits_fold: match get.number("LANMU_HITS_FOLD_MS", 3000, 0..=60_000)? {
                0 => None,
                millis => Some(Duration::from_millis(millis)),
            },
            hits_days: get.parsed("LANMU_HITS_DAYS", "0", |text| match text.parse() {
                Ok(0) => Ok(None),
                Ok(days) if (MIN_HITS_DAYS..=36_500).contains(&days) => Ok(Some(days)),
                _ => Err(format!(
                    "must be 0 or a whole number from {MIN_HITS_DAYS} to 36500"
                )),
            })?,
            hits_months: get.number_or_none("LANMU_HITS_MONTHS", 0, 1200)?,
            rates: get.rates()?,
            max_body_bytes: get.number("LANMU_MAX_BODY_BYTES", 2_097_152, 1024..=1 << 30)?,
            body_time: Duration::from_secs(get.number("LANMU_BODY_SECONDS", 15, 1..=600)?),
            send_time: Duration::from_secs(get.number("LANMU_SEND_SECONDS", 10, 1..=600)?),
            shutdown: Duration::from_secs(get.number("LANMU_SHUTDOWN_SECONDS", 20, 1..=600)?),
            cache_article: get.cache("LANMU_CACHE_ARTICLE")?,
            cache_list: get.cache("LANMU_CACHE_LIST")?,
            cache_section: get.cache("LANMU_CACHE_SECTION")?,
            tick: match get.number("LANMU_TICK_MS", 500, 0..=60_000)? {
                0 => None,
                millis => Some(Duration::from_millis(millis)),
            },
            trash_days: get.number_or_none("LANMU_TRASH_DAYS", 30, 36_500)?,
            audit_days: get.number_or_none("LANMU_AUDIT_DAYS", 0, 36_500)?,
            revisions_keep: get.number_or_none("LANMU_REVISIONS_KEEP", 100, 1_000_000)?,
            revisions_days: get.number_or_none("LANMU_REVISIONS_DAYS", 0, 36_500)?,
            reset_url: get
                .token_url("LANMU_RESET_URL", "https://admin.example.com/reset#{token}")?,
            preview_hours: get.number("LANMU_PREVIEW_HOURS", 24, 1..=720)?,
            preview_url: get.token_url(
                "LANMU_PREVIEW_URL",
                "https://www.example.com/preview/{token}",
            )?,
            check_words_file: get.text("LANMU_CHECK_WORDS_FILE").map(PathBuf::from),
            check_blocks: get.list("LANMU_CHECK_BLOCKS", |item| Ok(item.to_owned()))?,
            log: get.parsed("LANMU_LOG", "info", |text| {
                text.parse::<tracing_subscriber::EnvFilter>()
                    .map(|_| text.to_owned())
                    .map_err(|e| format!("is no log filter ({e}): write e.g. info or lanmu=debug"))
            })?,
            log_format: get.parsed("LANMU_LOG_FORMAT", "text", |text| match text {
                "text" => Ok(LogFormat::Text),
                "json" => Ok(LogFormat::Json),
                _ => Err("must be text or json".into()),
            })?,
        })
    }

    /// The database's part of the settings.
    pub fn db(&self) -> DbSettings {
        DbSettings {
            url: self.database.clone(),
            replicas: self.replicas.clone(),
            pool_size: self.db_connections,
            wait: self.db_wait,
            queue: self.db_queue,
            names_purges: !self.purge_urls.is_empty(),
        }
    }
}

/// Why `.env` can't be read. The line itself may hold a secret and is not told.
fn unreadable(error: &dotenvy::Error) -> String {
    match error {
        dotenvy::Error::LineParse(_, index) => {
            format!("has a line that is no NAME=value, at its character {index}")
        }
        other => format!("can't be read: {other}"),
    }
}

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

struct Lookup<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Lookup<'_> {
    fn text(&self, name: &'static str) -> Option<String> {
        (self.0)(name)
            .map(|v| v.trim().to_owned())
            .filter(|v| !v.is_empty())
    }

    fn parsed<T>(
        &self,
        name: &'static str,
        default: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        parse(&text).map_err(|problem| ConfigError { name, problem })
    }

    fn number<T>(
        &self,
        name: &'static str,
        default: T,
        range: std::ops::RangeInclusive<T>,
    ) -> Result<T, ConfigError>
    where
        T: std::str::FromStr + PartialOrd + std::fmt::Display,
    {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(ConfigError {
                name,
                problem: format!(
                    "must be a whole number from {} to {}",
                    range.start(),
                    range.end()
                ),
            }),
        }
    }

    /// A number up to `max`; 0 means that there is no limit.
    fn number_or_none(
        &self,
        name: &'static str,
        default: i64,
        max: i64,
    ) -> Result<Option<i64>, ConfigError> {
        let number = self.number(name, default, 0..=max)?;
        Ok(Some(number).filter(|number| *number > 0))
    }

    fn list<T>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        let text = self.text(name).unwrap_or_default();
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        items
            .map(|item| parse(item).map_err(|problem| ConfigError { name, problem }))
            .collect()
    }

    fn replicas(&self, database: &DbUrl) -> Result<Vec<DbUrl>, ConfigError> {
        let name = "LANMU_REPLICA_URLS";
        let replicas = self.list(name, |item| match DbUrl::parse(item) {
            Ok(url @ DbUrl::Postgres(_)) => Ok(url),
            // What was written may have a password in it.
            _ => Err(
                "has an item that is no postgres://USER:PASSWORD@HOST/NAME: write one for each \
                      replica, separated by commas"
                    .into(),
            ),
        })?;
        match database {
            DbUrl::Sqlite(_) if !replicas.is_empty() => Err(ConfigError {
                name,
                problem: "is for PostgreSQL, but DATABASE_URL names an SQLite file: leave it out"
                    .into(),
            }),
            _ => Ok(replicas),
        }
    }

    fn url(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match Url::parse(&text) {
            Ok(url) if is_web(&url) && url.query().is_none() && url.fragment().is_none() => {
                Ok(Some(text.trim_end_matches('/').to_owned()))
            }
            _ => Err(ConfigError {
                name,
                problem: "must be a web address without account or query: write e.g. https://www.example.com"
                    .into(),
            }),
        }
    }

    /// A web address with `{token}` in it.
    fn token_url(&self, name: &'static str, example: &str) -> Result<Option<String>, ConfigError> {
        let Some(template) = self.text(name) else {
            return Ok(None);
        };
        let is_good = Url::parse(&template.replace("{token}", "x")).is_ok_and(|url| is_web(&url));
        if is_good && template.contains("{token}") {
            return Ok(Some(template));
        }
        Err(ConfigError {
            name,
            problem: format!("must be a web address with {{token}} in it: write e.g. {example}"),
        })
    }

    fn rates(&self) -> Result<Option<Rates>, ConfigError> {
        let is_on = self.parsed("LANMU_RATE_LIMIT", "on", |text| match text {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err("must be on or off".into()),
        })?;
        let range = 1..=10_000_000;
        let rates = Rates {
            reads: self.number("LANMU_RATE_READS", 60_000, range.clone())?,
            writes: self.number("LANMU_RATE_WRITES", 12_000, range.clone())?,
            hits: self.number("LANMU_RATE_HITS", 12_000, range)?,
        };
        Ok(is_on.then_some(rates))
    }

    fn cache(&self, name: &'static str) -> Result<CachePolicy, ConfigError> {
        self.parsed(name, "30,60,30", |text| {
            let numbers: Vec<u32> = text
                .split(',')
                .filter_map(|part| part.trim().parse().ok())
                .collect();
            match numbers[..] {
                [max_age, s_maxage, stale_while_revalidate]
                    if text.split(',').count() == 3
                        && numbers.iter().all(|seconds| *seconds <= 31_536_000) =>
                {
                    Ok(CachePolicy {
                        max_age,
                        s_maxage,
                        stale_while_revalidate,
                    })
                }
                _ => Err("must be three numbers of seconds, max-age, s-maxage and \
                          stale-while-revalidate: write e.g. 30,60,30"
                    .into()),
            }
        })
    }
}

fn is_web(url: &Url) -> bool {
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    matches!(url.scheme(), "http" | "https") && url.host().is_some() && is_anonymous
}

/// `iss` is any text, or a URI where it has a colon (RFC 7519 §2, §4.1.1).
fn token_issuer(issuer: String) -> Result<String, ConfigError> {
    let is_plain = issuer.len() <= 200 && issuer.bytes().all(|b| b.is_ascii_graphic());
    if is_plain && (!issuer.contains(':') || Url::parse(&issuer).is_ok()) {
        return Ok(issuer);
    }
    Err(ConfigError {
        name: "LANMU_TOKEN_ISSUER",
        problem: "must be an address or a name of up to 200 characters, ASCII, without spaces: \
                  write e.g. https://api.example.com"
            .into(),
    })
}

fn article_template(template: String) -> Result<String, ConfigError> {
    let sample = template.replace("{id}", "1").replace("{slug}", "a");
    let names_article = template.contains("{id}") || template.contains("{slug}");
    match Url::parse(&sample) {
        Ok(url) if is_web(&url) && names_article && !sample.contains(['{', '}']) => Ok(template),
        _ => Err(ConfigError {
            name: "LANMU_ARTICLE_URL",
            problem: "must be a web address with {id} or {slug} in it: \
                      write e.g. https://www.example.com/articles/{id}"
                .into(),
        }),
    }
}

/// `http://`, since no TLS client is built in.
fn purge_url(item: &str) -> Result<Url, String> {
    let wrong = |problem: &str| Err(format!("has {item:?}, which {problem}"));
    match Url::parse(item) {
        Ok(url) if url.scheme() == "https" => wrong(
            "needs TLS: name a proxy on this machine or in its network, as http://127.0.0.1:6081/",
        ),
        Ok(url) if is_web(&url) && url.query().is_none() && url.fragment().is_none() => Ok(url),
        _ => wrong("is no web address without account or query: write e.g. http://127.0.0.1:6081/"),
    }
}

fn origin(item: &str) -> Result<String, String> {
    let wrong = || {
        format!(
            "has {item:?}, which is no origin: write e.g. https://admin.example.com, without a path"
        )
    };
    let url = Url::parse(item).map_err(|_| wrong())?;
    let origin = url.origin().ascii_serialization();
    if is_web(&url) && origin == item {
        Ok(origin)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &'static str) -> Result<Config, ConfigError> {
        Config::from_lookup(&|asked| (asked == name).then(|| value.to_owned()))
    }

    #[test]
    fn nothing_set_is_a_working_configuration() {
        let config = Config::from_lookup(&|_| None).expect("defaults are valid");
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.site.home_name, "首页");
        assert_eq!(config.site.article_address(12, "x"), None);
        assert_eq!(config.token_issuer, "lanmu");
    }

    #[test]
    fn the_issuer_is_the_site_unless_it_is_named() {
        let config = with("LANMU_SITE_URL", "https://www.example.com/").expect("valid");
        assert_eq!(config.token_issuer, "https://www.example.com");
        let config = with("LANMU_TOKEN_ISSUER", "https://api.example.com/x").expect("valid");
        assert_eq!(config.token_issuer, "https://api.example.com/x");
    }

    #[test]
    fn a_wrong_setting_is_named_with_its_mend() {
        for (name, value) in [
            ("DATABASE_URL", "mysql://x"),
            ("LANMU_REPLICA_URLS", "mysql://x"),
            ("LANMU_REPLICA_URLS", "postgres://a/lanmu,b/lanmu"),
            // The database is SQLite.
            ("LANMU_REPLICA_URLS", "postgres://a/lanmu"),
            ("LANMU_LISTEN", "8080"),
            ("LANMU_TIME_ZONE", "Mars/Base"),
            ("LANMU_LOCALE", "not a tag"),
            ("LANMU_SITE_URL", "ftp://x"),
            ("LANMU_ARTICLE_URL", "https://x.example/fixed"),
            ("LANMU_ARTICLE_URL", "https://x.example/{nid}/{id}"),
            ("LANMU_TOKEN_ISSUER", "two words"),
            ("LANMU_TOKEN_ISSUER", ":no:address"),
            ("LANMU_TRUSTED_PROXIES", "10.0.0.0/99"),
            ("LANMU_CORS_ORIGINS", "https://x.example/path"),
            ("LANMU_HIT_WINDOW", "-1"),
            ("LANMU_RATE_LIMIT", "maybe"),
            ("LANMU_RATE_READS", "0"),
            ("LANMU_RATE_WRITES", "10000001"),
            ("LANMU_RATE_HITS", "-1"),
            ("LANMU_MAX_BODY_BYTES", "lots"),
            ("LANMU_CACHE_LIST", "30,60"),
            ("LANMU_CACHE_LIST", "30,x,60,1"),
            ("LANMU_AUDIT_DAYS", "-1"),
            ("LANMU_TICK_MS", "60001"),
            ("LANMU_TRASH_DAYS", "soon"),
            ("LANMU_REVISIONS_KEEP", "-1"),
            ("LANMU_REVISIONS_DAYS", "36501"),
            ("LANMU_RESET_URL", "https://x.example/reset"),
            ("LANMU_RESET_URL", "javascript:{token}"),
            ("LANMU_PREVIEW_HOURS", "0"),
            ("LANMU_PREVIEW_HOURS", "721"),
            ("LANMU_PREVIEW_URL", "https://x.example/preview"),
            ("LANMU_PREVIEW_URL", "/preview/{token}"),
            ("LANMU_LOG_FORMAT", "xml"),
            ("LANMU_CDN_KEYS", "on"),
            ("LANMU_PURGE_URLS", "127.0.0.1:6081"),
            ("LANMU_PURGE_URLS", "https://cdn.example/purge"),
            ("LANMU_PURGE_URLS", "http://user:word@cdn.example/"),
            // Without the keys that it is to name.
            ("LANMU_PURGE_URLS", "http://127.0.0.1:6081/"),
        ] {
            let error = with(name, value).expect_err(value);
            assert_eq!(error.name, name);
            assert!(!error.to_string().contains('\n'));
        }
    }

    #[test]
    fn replicas_are_of_postgresql_and_keep_their_passwords() {
        let with = |database: &'static str, replicas: &'static str| {
            Config::from_lookup(&|asked| match asked {
                "DATABASE_URL" => Some(database.to_owned()),
                "LANMU_REPLICA_URLS" => Some(replicas.to_owned()),
                _ => None,
            })
        };
        let two = "postgres://u:secret@a/lanmu, postgresql://u:secret@b/lanmu";
        let config = with("postgres://primary/lanmu", two).expect("valid");
        let shown = format!("{:?}", config.replicas);
        assert_eq!(shown, "[postgres://…@a/lanmu, postgres://…@b/lanmu]");
        for (database, replicas, sign) in [
            ("sqlite://x.db", two, "SQLite"),
            (
                "postgres://primary/lanmu",
                "u:secret@a/lanmu",
                "no postgres://",
            ),
            (
                "postgres://primary/lanmu",
                "sqlite://secret",
                "no postgres://",
            ),
        ] {
            let error = with(database, replicas).expect_err(replicas).to_string();
            assert!(
                error.starts_with("LANMU_REPLICA_URLS ") && error.contains(sign),
                "{error}"
            );
            assert!(
                !error.contains("secret") && !error.contains('\n'),
                "{error}"
            );
        }
    }

    #[test]
    fn an_article_has_its_web_address_under_the_site() {
        let config = with("LANMU_SITE_URL", "https://www.example.com/").expect("valid");
        let address = config.site.article_address(12, "x");
        assert_eq!(
            address.as_deref(),
            Some("https://www.example.com/articles/12")
        );
    }
}
