//! Column types that both databases share: instants and JSON.
//!
//! `MultiConnection` knows neither `timestamptz` nor `jsonb`, so each is an SQL type of ours over
//! the native one: PostgreSQL `timestamptz` and `jsonb`, SQLite text.

use std::fmt;
use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{HasSqlType, Jsonb, SqlOrd, SqlType, Text, Timestamptz};
use diesel::sqlite::Sqlite;
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};

use super::MultiBackend;

/// An instant: PostgreSQL `timestamptz`, SQLite text `YYYY-MM-DD HH:MM:SS.ffffff` in UTC, which
/// sorts as the instants do.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Text"))]
pub struct UtcTime;

impl SqlOrd for UtcTime {}

/// A JSON document: PostgreSQL `jsonb`, SQLite text.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 3802, array_oid = 3807))]
#[diesel(sqlite_type(name = "Text"))]
pub struct Json;

/// An instant in UTC with millisecond precision; years 1 to 9999. On the wire RFC 3339 with `Z`,
/// read with any offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = UtcTime)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Cuts off what is finer than a millisecond. A leap second counts as the first of the next
    /// minute.
    pub fn new(instant: DateTime<Utc>) -> Self {
        Self(DateTime::from_timestamp_millis(instant.timestamp_millis()).unwrap_or(instant))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; `None` outside of the years 1 to 9999.
    pub fn from_millis(millis: i64) -> Option<Self> {
        DateTime::from_timestamp_millis(millis)
            .filter(|_| RANGE.contains(&millis))
            .map(Self)
    }

    /// The instant, or the end of the range that is nearest to it.
    pub fn nearest(instant: DateTime<Utc>) -> Self {
        let millis = instant
            .timestamp_millis()
            .clamp(*RANGE.start(), *RANGE.end());
        Self(DateTime::from_timestamp_millis(millis).unwrap_or(instant))
    }

    /// Parses RFC 3339 with any offset; `None` where the text is none or the year is outside of
    /// 1 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let instant = DateTime::parse_from_rfc3339(text).ok()?;
        Self::from_millis(instant.timestamp_millis())
    }

    /// The instant for date arithmetic.
    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// As SQLite keeps it, and as PostgreSQL reads it where the session's zone is UTC.
    pub fn column_text(self) -> String {
        self.0.format(SQLITE_FORMAT).to_string()
    }

    /// This instant moved by so many seconds (negative: earlier); stays put at the ends of the
    /// range.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_millis(self.millis().saturating_add(seconds.saturating_mul(1000)))
            .unwrap_or(self)
    }
}

/// The years 1 to 9999 less a day at either end, so that the local time is within them in every
/// time zone: 0001-01-02T00:00:00Z to 9999-12-30T23:59:59.999Z.
const RANGE: RangeInclusive<i64> = -62_135_510_400_000..=253_402_214_399_999;

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 instant"))
    }
}

const SQLITE_FORMAT: &str = "%Y-%m-%d %H:%M:%S%.6f";

impl ToSql<UtcTime, Pg> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamptz, Pg>::to_sql(&self.0, &mut out.reborrow())
    }
}

impl ToSql<UtcTime, Sqlite> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.column_text());
        Ok(IsNull::No)
    }
}

impl ToSql<UtcTime, MultiBackend> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
        out.set_value((UtcTime, self));
        Ok(IsNull::No)
    }
}

impl FromSql<UtcTime, Pg> for Timestamp {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<Timestamptz, Pg>::from_sql(bytes).map(Self)
    }
}

impl FromSql<UtcTime, Sqlite> for Timestamp {
    fn from_sql(bytes: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(bytes)?;
        Ok(Self(
            NaiveDateTime::parse_from_str(&text, SQLITE_FORMAT)?.and_utc(),
        ))
    }
}

impl FromSql<UtcTime, MultiBackend> for Timestamp {
    fn from_sql(bytes: <MultiBackend as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        bytes.from_sql::<Self, UtcTime>()
    }
}

impl HasSqlType<UtcTime> for MultiBackend {
    fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
        Self::lookup_sql_type::<UtcTime>(lookup)
    }
}

/// A value kept as a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Default, AsExpression, FromSqlRow)]
#[diesel(sql_type = Json)]
pub struct JsonOf<T: fmt::Debug>(pub T);

impl<T: Serialize + fmt::Debug> ToSql<Json, Pg> for JsonOf<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let value = serde_json::to_value(&self.0)?;
        <serde_json::Value as ToSql<Jsonb, Pg>>::to_sql(&value, &mut out.reborrow())
    }
}

impl<T: Serialize + fmt::Debug> ToSql<Json, Sqlite> for JsonOf<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(serde_json::to_string(&self.0)?);
        Ok(IsNull::No)
    }
}

impl<T: Serialize + fmt::Debug + Send + Sync + 'static> ToSql<Json, MultiBackend> for JsonOf<T>
where
    Self: ToSql<Json, Pg> + ToSql<Json, Sqlite>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
        out.set_value((Json, self));
        Ok(IsNull::No)
    }
}

impl<T: DeserializeOwned + fmt::Debug> FromSql<Json, Pg> for JsonOf<T> {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        let value = <serde_json::Value as FromSql<Jsonb, Pg>>::from_sql(bytes)?;
        Ok(Self(serde_json::from_value(value)?))
    }
}

impl<T: DeserializeOwned + fmt::Debug> FromSql<Json, Sqlite> for JsonOf<T> {
    fn from_sql(bytes: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(bytes)?;
        Ok(Self(serde_json::from_str(&text)?))
    }
}

impl<T: DeserializeOwned + fmt::Debug> FromSql<Json, MultiBackend> for JsonOf<T> {
    fn from_sql(bytes: <MultiBackend as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        bytes.from_sql::<Self, Json>()
    }
}

impl HasSqlType<Json> for MultiBackend {
    fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
        Self::lookup_sql_type::<Json>(lookup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_instant_survives_its_text(millis in RANGE) {
            let instant = Timestamp::from_millis(millis).expect("in range");
            prop_assert_eq!(Timestamp::parse(&instant.to_string()), Some(instant));
        }

        #[test]
        fn sqlite_text_sorts_as_instants_do(a in RANGE,
                                            b in RANGE) {
            let text = |m| Timestamp::from_millis(m).expect("in range").0.format(SQLITE_FORMAT).to_string();
            prop_assert_eq!(a.cmp(&b), text(a).cmp(&text(b)));
        }
    }

    #[test]
    fn an_offset_is_turned_into_utc() {
        let instant = Timestamp::parse("2019-08-09T09:21:00+08:00").expect("valid");
        assert_eq!(instant.to_string(), "2019-08-09T01:21:00Z");
    }

    #[test]
    fn years_beyond_9999_are_refused() {
        for text in [
            "9999-12-31T23:59:59-01:00",
            "9999-12-31T00:00:00Z",
            "0001-01-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_leap_second_is_the_next_minute() {
        let instant = Timestamp::parse("2016-12-31T23:59:60Z").expect("valid");
        assert_eq!(instant.to_string(), "2017-01-01T00:00:00Z");
    }
}
