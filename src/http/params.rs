//! Query parameters: read by name, every fault reported at once, unknown names refused.

use std::future::{Ready, ready};
use std::ops::RangeInclusive;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use chrono::NaiveDate;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use crate::clock::SiteZone;
use crate::db::Timestamp;
use crate::error::{ApiError, Code, Fault, FaultCode};

use super::reference::Ref;

/// The longest value of a parameter, in characters.
const MAX_VALUE: usize = 1000;
/// The most faults of a kind that are told: a client that sends more is not helped by them.
const MAX_FAULTS: usize = 20;

/// A set of parameters that an operation takes. The derived `utoipa::IntoParams` documents them;
/// a test compares both.
pub trait FromParams: Sized {
    /// Reads the parameters, reporting what is wrong to the reader.
    fn from_params(reader: &mut Reader) -> Self;
}

/// An operation without parameters.
impl FromParams for () {
    fn from_params(_: &mut Reader) -> Self {}
}

/// The extractor: the parameters of the request, checked.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: FromParams> FromRequest for Params<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut reader = Reader::of(req);
        let value = T::from_params(&mut reader);
        ready(reader.finish().map(|query| {
            req.extensions_mut().insert(Normal(query));
            Self(value)
        }))
    }
}

/// The request's query as all that mean the same have it, as [`Params`] leaves it in the request's
/// extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normal(pub String);

/// Reads parameters by name and collects the faults.
#[derive(Debug)]
pub struct Reader {
    path: String,
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
    /// What was read, in the order of reading, each value in the one way that it is written.
    normal: Vec<(&'static str, String)>,
    faults: Vec<Fault>,
}

impl Reader {
    /// A reader over a raw query string.
    pub fn new(path: &str, query: &str) -> Self {
        let mut reader = Self {
            path: path.to_owned(),
            pairs: Vec::new(),
            known: Vec::new(),
            normal: Vec::new(),
            faults: Vec::new(),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (decode(name), decode(value)) {
                (Some(name), Some(value)) => reader.pairs.push((name, value)),
                (name, _) if reader.faults.len() < MAX_FAULTS => {
                    let name = name.unwrap_or_else(|| "?".to_owned());
                    let detail = "must be percent-encoded UTF-8 without control characters";
                    reader.fault(&name, FaultCode::InvalidCharacters, detail);
                }
                _ => {}
            }
        }
        reader
    }

    /// A reader over a request's query.
    pub fn of(req: &HttpRequest) -> Self {
        Self::new(req.path(), req.query_string())
    }

    /// The request's path, as sent.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The parameters as given, decoded, in order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Reports a fault of something else in the request's head.
    pub fn report(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Reports a fault of this parameter.
    pub fn fault(&mut self, name: &str, code: FaultCode, detail: impl AsRef<str>) {
        let shown: String = name.chars().take(100).collect();
        let detail = format!("{shown} {}", detail.as_ref());
        self.faults.push(Fault::parameter(shown, code, detail));
    }

    /// The value of a parameter that may be given once. Blank counts as a fault.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.text_within(name, MAX_VALUE)
    }

    /// The value of a parameter that may be given once and may have up to `max` characters.
    pub fn text_within(&mut self, name: &'static str, max: usize) -> Option<String> {
        self.known.push(name);
        let mut values = self
            .pairs
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.clone());
        let value = values.next()?;
        let again = values.next().is_some();
        if again {
            self.fault(name, FaultCode::Duplicate, "is given more than once");
            return None;
        }
        let value = value.trim().to_owned();
        if value.is_empty() {
            self.fault(
                name,
                FaultCode::Required,
                "is blank: leave it out or give a value",
            );
            return None;
        }
        if value.chars().count() > max {
            let detail = format!("is longer than {max} characters");
            self.fault(name, FaultCode::TooLong, detail);
            return None;
        }
        self.normal.push((name, value.clone()));
        Some(value)
    }

    /// How the parameter that was read last is written where the text is not the one way to do so.
    fn spell(&mut self, value: String) {
        if let Some(last) = self.normal.last_mut() {
            last.1 = value;
        }
    }

    /// The value, or what holds without it; where these are the same, it makes no difference whether
    /// it is given.
    pub fn or<T: PartialEq>(&mut self, name: &str, value: Option<T>, default: T) -> T {
        match value {
            Some(value) if value == default => {
                self.normal.retain(|(known, _)| *known != name);
                default
            }
            value => value.unwrap_or(default),
        }
    }

    /// [`Reader::integer`], or a default.
    pub fn integer_or(
        &mut self,
        name: &'static str,
        range: RangeInclusive<i64>,
        default: i64,
    ) -> i64 {
        let value = self.integer(name, range);
        self.or(name, value, default)
    }

    /// [`Reader::boolean`], or a default.
    pub fn boolean_or(&mut self, name: &'static str, default: bool) -> bool {
        let value = self.boolean(name);
        self.or(name, value, default)
    }

    /// [`Reader::choice`], or a default.
    pub fn choice_or<T: Copy + PartialEq>(
        &mut self,
        name: &'static str,
        choices: &[(&str, T)],
        default: T,
    ) -> T {
        let value = self.choice(name, choices);
        self.or(name, value, default)
    }

    /// What was read so far, by name.
    pub fn normal(&self) -> &[(&'static str, String)] {
        &self.normal
    }

    /// A whole number within the range.
    pub fn integer(&mut self, name: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let text = self.text(name)?;
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let number = match text.parse::<i64>() {
            Ok(number) if digits.bytes().all(|b| b.is_ascii_digit()) => number,
            _ => {
                self.fault(name, FaultCode::Invalid, "must be a whole number");
                return None;
            }
        };
        if !range.contains(&number) {
            let detail = format!("must be from {} to {}", range.start(), range.end());
            self.fault(name, FaultCode::OutOfRange, detail);
            return None;
        }
        self.spell(number.to_string());
        Some(number)
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, name: &'static str) -> Option<bool> {
        self.choice(name, &[("true", true), ("false", false)])
    }

    /// One of the listed values.
    pub fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        self.pick(name, &text, choices)
    }

    /// Some of the listed values, separated by commas.
    pub fn choices<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Vec<T> {
        let Some(text) = self.text(name) else {
            return Vec::new();
        };
        let mut given: Vec<&str> = text.split(',').map(str::trim).collect();
        // Neither their order nor a repetition makes a difference.
        given.sort_unstable();
        given.dedup();
        self.spell(given.join(","));
        given
            .into_iter()
            .filter_map(|item| self.pick(name, item, choices))
            .collect()
    }

    fn pick<T: Copy>(&mut self, name: &str, text: &str, choices: &[(&str, T)]) -> Option<T> {
        let found = choices.iter().find(|(value, _)| *value == text);
        if found.is_none() {
            let values = choices
                .iter()
                .map(|(v, _)| *v)
                .collect::<Vec<_>>()
                .join(", ");
            self.fault(
                name,
                FaultCode::NotAllowed,
                format!("must be one of: {values}"),
            );
        }
        found.map(|(_, choice)| *choice)
    }

    /// Up to `max` ids, separated by commas, without repetitions, in the order given.
    pub fn ids(&mut self, name: &'static str, max: usize) -> Option<Vec<i64>> {
        // An id has up to 19 digits.
        let text = self.text_within(name, 21 * max)?;
        let mut ids = Vec::new();
        for item in text.split(',') {
            match Ref::parse(item) {
                Some(Ref::Id(id)) => {
                    if !ids.contains(&id) {
                        ids.push(id);
                    }
                }
                _ => {
                    self.fault(name, FaultCode::Invalid, "must be ids separated by commas");
                    return None;
                }
            }
        }
        if ids.len() > max {
            self.fault(
                name,
                FaultCode::TooMany,
                format!("must be at most {max} ids"),
            );
            return None;
        }
        let texts: Vec<String> = ids.iter().map(i64::to_string).collect();
        self.spell(texts.join(","));
        Some(ids)
    }

    /// A day `YYYY-MM-DD`, years 1 to 9998.
    pub fn day(&mut self, name: &'static str) -> Option<NaiveDate> {
        let text = self.text(name)?;
        let day = parse_day(&text);
        if day.is_none() {
            self.fault(name, FaultCode::Invalid, "must be a day, YYYY-MM-DD");
        }
        day
    }

    /// A month `YYYY-MM`, as its first day.
    pub fn month(&mut self, name: &'static str) -> Option<NaiveDate> {
        let text = self.text(name)?;
        let month = parse_day(&format!("{text}-01"));
        if month.is_none() {
            self.fault(name, FaultCode::Invalid, "must be a month, YYYY-MM");
        }
        month
    }

    /// A day `YYYY-MM-DD` or an RFC 3339 instant.
    pub fn day_or_instant(&mut self, name: &'static str) -> Option<DayOrInstant> {
        let text = self.text(name)?;
        // In a query `+` is a space, and an offset's + is seldom encoded: both are taken.
        let found = parse_day(&text)
            .map(DayOrInstant::Day)
            .or_else(|| Timestamp::parse(&text.replace(' ', "+")).map(DayOrInstant::Instant));
        if found.is_none() {
            let detail = "must be a day (YYYY-MM-DD) or an instant (RFC 3339)";
            self.fault(name, FaultCode::Invalid, detail);
        }
        if let Some(DayOrInstant::Instant(at)) = found {
            self.spell(at.to_string());
        }
        found
    }

    /// Ends the reading: parameters that nobody asked for are faults. Returns the query as all that mean
    /// the same have it.
    pub fn finish(mut self) -> Result<String, ApiError> {
        let mut unknown: Vec<String> = Vec::new();
        for (name, _) in &self.pairs {
            if !self.known.contains(&name.as_str()) && !unknown.contains(name) {
                unknown.push(name.clone());
            }
        }
        for name in unknown.iter().take(MAX_FAULTS) {
            self.fault(
                name,
                FaultCode::UnknownParameter,
                "is no parameter of this operation",
            );
        }
        if self.faults.is_empty() {
            Ok(query_of(self.normal.iter().map(|(n, v)| (*n, v.as_str()))))
        } else {
            Err(ApiError::Faults(Code::InvalidRequest, self.faults))
        }
    }
}

/// What stays as it is in a query (RFC 3986 §2.3), and the comma of lists.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b',');

/// A query of these parameters.
pub fn query_of<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let encode = |text| utf8_percent_encode(text, QUERY);
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    pairs.join("&")
}

/// A bound in time: a whole day of the site, or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayOrInstant {
    /// A day in the site's zone.
    Day(NaiveDate),
    /// An instant.
    Instant(Timestamp),
}

impl DayOrInstant {
    /// The instant from which on: a day's first.
    pub fn lower(self, zone: SiteZone) -> Timestamp {
        match self {
            Self::Day(day) => zone.start_of_day(day),
            Self::Instant(at) => at,
        }
    }

    /// The instant before which: after a day's last.
    pub fn upper(self, zone: SiteZone) -> Timestamp {
        match self {
            Self::Day(day) => zone.end_of_day(day),
            Self::Instant(at) => at,
        }
    }
}

fn parse_day(text: &str) -> Option<NaiveDate> {
    use chrono::Datelike;
    let is_well_formed = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (is_well_formed && (1..=9998).contains(&day.year())).then_some(day)
}

fn decode(text: &str) -> Option<String> {
    if has_broken_escape(text.as_bytes()) {
        return None;
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8().ok()?;
    (!decoded.chars().any(char::is_control)).then(|| decoded.into_owned())
}

/// Whether a `%` stands without two hexadecimal digits behind it (RFC 3986 §2.1).
fn has_broken_escape(text: &[u8]) -> bool {
    text.iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'%')
        .any(|(index, _)| {
            let digits = text.get(index + 1..index + 3);
            !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn faults(query: &str, read: impl FnOnce(&mut Reader)) -> Vec<&'static str> {
        let mut reader = Reader::new("/", query);
        read(&mut reader);
        match reader.finish() {
            Err(ApiError::Faults(_, faults)) => faults.iter().map(|f| f.code).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let told = faults("limit=0&page=x&wat=1&q=%ff", |r| {
            r.integer("limit", 1..=100);
            r.integer("page", 1..=10);
        });
        assert_eq!(
            told,
            [
                "invalid_characters",
                "out_of_range",
                "invalid",
                "unknown_parameter"
            ]
        );
    }

    #[test]
    fn a_parameter_given_twice_is_a_fault() {
        assert_eq!(
            faults("limit=1&limit=2", |r| {
                r.integer("limit", 1..=9);
            }),
            ["duplicate"]
        );
    }

    #[test]
    fn a_number_is_written_in_digits() {
        for text in ["%2B5", "5.0", "0x5", "5e0", " "] {
            let query = format!("limit={text}");
            assert_eq!(
                faults(&query, |r| {
                    r.integer("limit", 1..=9);
                })
                .len(),
                1,
                "{text}"
            );
        }
    }

    #[test]
    fn an_instant_may_leave_its_plus_unencoded() {
        let mut reader = Reader::new("/", "from=2019-08-09T09:21:00+08:00");
        let instant = Timestamp::parse("2019-08-09T01:21:00Z").expect("valid");
        assert_eq!(
            reader.day_or_instant("from"),
            Some(DayOrInstant::Instant(instant))
        );
    }

    proptest! {
        #[test]
        fn no_query_makes_the_reader_panic(query in ".{0,200}") {
            let mut reader = Reader::new("/", &query);
            reader.text("a");
            reader.ids("b", 3);
            reader.day("c");
            let _ = reader.finish();
        }
    }
}
