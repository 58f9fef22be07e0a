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

    /// The first instant of the hour on the site's clocks. An hour in which the clocks are changed ends
    /// there, and the next one begins: it is shorter than 60 minutes where they are not changed on the
    /// hour, or not by whole hours.
    pub fn start_of_hour(self, at: Timestamp) -> Timestamp {
        const HOUR: i64 = 3_600_000;
        let offset = self.offset_seconds(at) * 1000;
        let local = at.millis() + offset;
        let start = local - local.rem_euclid(HOUR) - offset;
        let Some(start) = Timestamp::from_millis(start) else {
            return at;
        };
        if self.offset_seconds(start) * 1000 == offset {
            return start;
        }
        self.last_change(start, at)
    }

    /// How far the site's clocks are ahead of UTC, in seconds.
    fn offset_seconds(self, at: Timestamp) -> i64 {
        let offset = at.utc().with_timezone(&self.0).offset().fix();
        i64::from(offset.local_minus_utc())
    }

    /// The instant between these two at which the clocks were changed to what they show at the latter.
    fn last_change(self, before: Timestamp, after: Timestamp) -> Timestamp {
        let wanted = self.offset_seconds(after);
        let (mut low, mut high) = (before.millis(), after.millis());
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            match Timestamp::from_millis(middle).map(|at| self.offset_seconds(at)) {
                Some(offset) if offset == wanted => high = middle,
                _ => low = middle,
            }
        }
        Timestamp::from_millis(high).unwrap_or(after)
    }

    /// The first instants of so many hours on the site's clocks, the last that of this instant.
    pub fn hours_until(self, at: Timestamp, number: i64) -> Vec<Timestamp> {
        let mut hours = Vec::new();
        let mut hour = self.start_of_hour(at);
        for _ in 0..number {
            hours.push(hour);
            // Clocks are changed on whole seconds, so no hour is shorter than that.
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

    fn hours(zone: Tz, at: &str, number: i64) -> Vec<String> {
        let at = Timestamp::parse(at).expect("an instant");
        let hours = SiteZone(zone).hours_until(at, number);
        hours.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_hour_ends_where_the_clocks_are_changed_within_it() {
        // Lord Howe goes from 02:00 (+11:00) to 01:30 (+10:30), and from 02:00 to 02:30.
        let zone = chrono_tz::Australia::Lord_Howe;
        assert_eq!(
            hours(zone, "2026-04-04T15:45:00Z", 4),
            [
                "2026-04-04T13:00:00Z",
                "2026-04-04T14:00:00Z",
                "2026-04-04T15:00:00Z",
                "2026-04-04T15:30:00Z",
            ]
        );
        assert_eq!(
            hours(zone, "2025-10-04T16:59:59Z", 4),
            [
                "2025-10-04T13:30:00Z",
                "2025-10-04T14:30:00Z",
                "2025-10-04T15:30:00Z",
                "2025-10-04T16:00:00Z",
            ]
        );
        // New York has 01:00 twice.
        assert_eq!(
            hours(chrono_tz::America::New_York, "2025-11-02T06:30:00Z", 3),
            [
                "2025-11-02T04:00:00Z",
                "2025-11-02T05:00:00Z",
                "2025-11-02T06:00:00Z",
            ]
        );
        assert_eq!(
            hours(chrono_tz::Asia::Kathmandu, "2026-01-31T04:14:59Z", 1),
            ["2026-01-31T03:15:00Z"]
        );
    }

    /// Any of all zones.
    fn zones() -> impl Strategy<Value = SiteZone> {
        (0..chrono_tz::TZ_VARIANTS.len()).prop_map(|index| SiteZone(chrono_tz::TZ_VARIANTS[index]))
    }

    /// An instant of the years from 1990 to 2040.
    fn instants() -> impl Strategy<Value = Timestamp> {
        (631_152_000_000_i64..2_240_524_800_000)
            .prop_map(|millis| Timestamp::from_millis(millis).expect("in range"))
    }

    /// The first instant after this one at which the clocks are changed, where one is within 400 days.
    fn next_change(zone: SiteZone, from: Timestamp) -> Option<Timestamp> {
        let offset = zone.offset_seconds(from);
        let day = (1..400)
            .map(|day| from.plus_seconds(day * 86_400))
            .find(|day| zone.offset_seconds(*day) != offset)?;
        Some(zone.last_change(day.plus_seconds(-86_400), day))
    }

    fn check_hour(zone: SiteZone, at: Timestamp, share: f64) -> Result<(), TestCaseError> {
        let start = zone.start_of_hour(at);
        prop_assert!(
            start <= at && at < start.plus_seconds(3600),
            "{zone:?} {at}"
        );
        prop_assert_eq!(zone.start_of_hour(start), start, "{:?} {}", zone, at);
        prop_assert_eq!(
            zone.offset_seconds(start),
            zone.offset_seconds(at),
            "{:?} {}",
            zone,
            at
        );
        let length = (at.millis() - start.millis()) as f64;
        let between = Timestamp::from_millis(start.millis() + (length * share) as i64);
        prop_assert_eq!(zone.start_of_hour(between.expect("in range")), start);
        let before = Timestamp::from_millis(start.millis() - 1).expect("in range");
        prop_assert!(zone.start_of_hour(before) < start, "{zone:?} {at}");
        // It begins on the hour, or where the clocks are changed.
        let local = start.millis() + zone.offset_seconds(start) * 1000;
        let is_changed = zone.offset_seconds(before) != zone.offset_seconds(start);
        prop_assert!(local % 3_600_000 == 0 || is_changed, "{zone:?} {at}");
        Ok(())
    }

    fn check_hours(zone: SiteZone, at: Timestamp, share: f64) -> Result<(), TestCaseError> {
        let hours = zone.hours_until(at, 48);
        prop_assert_eq!(hours.len(), 48);
        prop_assert_eq!(hours.last(), Some(&zone.start_of_hour(at)));
        for pair in hours.windows(2) {
            prop_assert!(pair[0] < pair[1], "{zone:?} {at}");
            let last = Timestamp::from_millis(pair[1].millis() - 1).expect("in range");
            prop_assert_eq!(zone.start_of_hour(last), pair[0], "{:?} {}", zone, at);
            check_hour(zone, last, share)?;
        }
        let span = (at.millis() - hours[0].millis()) as f64;
        let any = Timestamp::from_millis(hours[0].millis() + (span * share) as i64);
        let any = any.expect("in range");
        let own = hours.iter().rev().find(|hour| **hour <= any);
        prop_assert_eq!(own, Some(&zone.start_of_hour(any)), "{:?} {}", zone, any);
        Ok(())
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

        #[test]
        fn hours_leave_nothing_out_in_any_zone(zone in zones(), at in instants(), share in 0.0..1.0) {
            check_hour(zone, at, share)?;
            check_hours(zone, at, share)?;
        }

        #[test]
        fn hours_leave_nothing_out_where_clocks_are_changed(
            zone in zones(),
            from in instants(),
            after in 0_i64..172_800,
            share in 0.0..1.0,
        ) {
            if let Some(change) = next_change(zone, from) {
                check_hour(zone, change, share)?;
                check_hours(zone, change.plus_seconds(after), share)?;
            }
        }

        #[test]
        fn every_zone_has_hours_without_a_gap(at in instants(), share in 0.0..1.0) {
            for zone in chrono_tz::TZ_VARIANTS {
                check_hour(SiteZone(zone), at, share)?;
            }
        }
    }
}
