//! The clock: the one source of "now". Tests move it by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use crate::db::Timestamp;

/// Where "now" comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Milliseconds since 1970 that only a test moves.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at this instant until it is moved.
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(at.millis())))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match self {
            #[allow(
                clippy::disallowed_methods,
                reason = "the one place that reads the machine's clock"
            )]
            Self::System => Timestamp::new(Utc::now()),
            Self::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst))
                .expect("a test sets the clock within the years 1 to 9999"),
        }
    }

    /// Moves a manual clock to this instant; does nothing to the machine's.
    pub fn set(&self, to: Timestamp) {
        if let Self::Manual(millis) = self {
            millis.store(to.millis(), Ordering::SeqCst);
        }
    }
}

/// The site's days and hours, by the rules of its IANA time zone.
#[derive(Debug, Clone, Copy)]
pub struct SiteZone(pub Tz);

impl SiteZone {
    /// The site's day at this instant.
    pub fn day(self, at: Timestamp) -> NaiveDate {
        at.utc().with_timezone(&self.0).date_naive()
    }

    /// `YYYY-MM-DD HH:MM` in the site's zone.
    pub fn local_minute(self, at: Timestamp) -> String {
        at.utc()
            .with_timezone(&self.0)
            .format("%Y-%m-%d %H:%M")
            .to_string()
    }

    /// The first instant of the site's day; where the clock skips midnight, the first that exists.
    pub fn start_of_day(self, day: NaiveDate) -> Timestamp {
        Timestamp::nearest(first_instant(
            self.0,
            day.and_hms_opt(0, 0, 0).expect("midnight is a time"),
        ))
    }

    /// The first instant after the site's day.
    pub fn end_of_day(self, day: NaiveDate) -> Timestamp {
        self.start_of_day(day.checked_add_days(Days::new(1)).unwrap_or(day))
    }

    /// The first instant of the hour on the site's clocks.
    pub fn start_of_hour(self, at: Timestamp) -> Timestamp {
        const HOUR: i64 = 3_600_000;
        let offset = at.utc().with_timezone(&self.0).offset().fix();
        let offset = i64::from(offset.local_minus_utc()) * 1000;
        let local = at.millis() + offset;
        Timestamp::from_millis(local - local.rem_euclid(HOUR) - offset).unwrap_or(at)
    }

    /// The first instants of so many hours on the site's clocks, the last that of this instant.
    pub fn hours_until(self, at: Timestamp, number: i64) -> Vec<Timestamp> {
        let mut hours = Vec::new();
        let mut hour = self.start_of_hour(at);
        for _ in 0..number {
            hours.push(hour);
            hour = self.start_of_hour(hour.plus_seconds(-1));
        }
        hours.reverse();
        hours
    }

    /// The site's months, from that of this instant on.
    pub fn months_from(self, at: Timestamp) -> impl Iterator<Item = Month> {
        let first = self.day(at).with_day(1);
        let days = std::iter::successors(first, |day| day.checked_add_months(Months::new(1)));
        days.map(move |day| Month {
            year: day.year(),
            month: day.month(),
            begins: self.start_of_day(day),
            ends: self.start_of_day(day.checked_add_months(Months::new(1)).unwrap_or(day)),
        })
    }
}

/// A month of the site's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    /// The year.
    pub year: i32,
    /// The month, from 1.
    pub month: u32,
    /// Its first instant.
    pub begins: Timestamp,
    /// The first instant after it.
    pub ends: Timestamp,
}

/// The earliest instant whose local time is `local` or, in a gap, the first after the gap.
fn first_instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    let mut candidate = local;
    // A gap is at most a day long (a zone that crossed the date line); steps of 15 minutes find
    // its end, since all transitions since 1970 are on a quarter of an hour.
    for _ in 0..=96 {
        if let Some(found) = zone.from_local_datetime(&candidate).earliest() {
            return found.with_timezone(&Utc);
        }
        candidate += chrono::TimeDelta::minutes(15);
    }
    Utc.from_utc_datetime(&local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHANGHAI: SiteZone = SiteZone(chrono_tz::Asia::Shanghai);

    #[test]
    fn a_shanghai_day_begins_at_16_utc() {
        let day = NaiveDate::from_ymd_opt(2019, 8, 9).expect("a date");
        assert_eq!(
            SHANGHAI.start_of_day(day).to_string(),
            "2019-08-08T16:00:00Z"
        );
        assert_eq!(SHANGHAI.end_of_day(day).to_string(), "2019-08-09T16:00:00Z");
    }

    #[test]
    fn a_day_without_midnight_begins_when_its_first_hour_does() {
        // Beirut went from 23:59:59 on 2022-03-26 to 01:00 on 2022-03-27.
        let zone = SiteZone(chrono_tz::Asia::Beirut);
        let day = NaiveDate::from_ymd_opt(2022, 3, 27).expect("a date");
        assert_eq!(zone.start_of_day(day).to_string(), "2022-03-26T22:00:00Z");
    }

    proptest! {
        #[test]
        fn every_instant_is_within_its_day(millis in 0_i64..4_102_444_800_000) {
            for zone in [SHANGHAI, SiteZone(chrono_tz::America::New_York), SiteZone(chrono_tz::Asia::Beirut)] {
                let at = Timestamp::from_millis(millis).expect("in range");
                let day = zone.day(at);
                prop_assert!(zone.start_of_day(day) <= at && at < zone.end_of_day(day));
            }
        }
    }
}
