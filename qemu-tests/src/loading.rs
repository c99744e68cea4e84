// SPDX-License-Identifier: GPL-2.0-only
//! The loader's part: an initrd takes its size divided by a bandwidth to load, before the kernel starts.
//!
//! A larger image that boots sooner is the better choice from some bandwidth on. [`best`] finds these limits.

mod table;

pub use table::Table;

/// Bandwidths that tables show, in MB/s: of a slow card or TFTP, up to a quick disk.
pub const BANDWIDTHS: [u32; 4] = [20, 100, 500, 2000];

/// An initrd, and the time that the boot takes from it to some stage.
#[derive(Clone, Copy)]
pub struct Choice<'a> {
    /// Its name.
    pub name: &'a str,
    /// Bytes that are loaded.
    pub bytes: u64,
    /// Milliseconds without loading; less than nothing counts as nothing.
    pub ms: f64,
}

/// A choice, and the bandwidth in MB/s from which on it is the best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best<'a> {
    /// Its name.
    pub name: &'a str,
    /// The lower limit; 0 for the first.
    pub from: f64,
}

impl Choice<'_> {
    /// Returns the milliseconds that loading takes at so many MB/s, together with those of the boot.
    pub fn loaded_ms(&self, bandwidth: u32) -> f64 {
        // PRECISION: Sizes are far below the 53 bits that a double holds exactly.
        self.bytes as f64 / (f64::from(bandwidth) * 1e3) + self.ms.max(0.0)
    }

    /// Returns the milliseconds without loading by which choices are compared, to a tenth: less is not told apart.
    fn ms(&self) -> f64 {
        (self.ms.max(0.0) * 10.0).round() / 10.0
    }

    /// Returns the bandwidth in MB/s from which on a larger and quicker choice is the better one.
    fn until(&self, other: &Self) -> Option<f64> {
        let (bytes, ms) = (other.bytes as f64 - self.bytes as f64, self.ms() - other.ms());
        (ms > 0.0).then(|| bytes / ms / 1e3)
    }
}

/// Returns the best choices, from the one for the slowest loader to the one for the quickest.
pub fn best<'a>(choices: &[Choice<'a>]) -> Vec<Best<'a>> {
    let smallest = |a: &&Choice, b: &&Choice| a.bytes.cmp(&b.bytes).then(a.ms().total_cmp(&b.ms()));
    let Some(mut last) = choices.iter().min_by(smallest) else {
        return Vec::new();
    };
    let mut found = vec![Best { name: last.name, from: 0.0 }];
    loop {
        let later = choices.iter().filter_map(|choice| Some((last.until(choice)?, choice)));
        // Of two that are level, the quicker one is the better one from there on.
        let next = later.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.ms().total_cmp(&b.1.ms())));
        let Some((from, choice)) = next else {
            return found;
        };
        found.push(Best { name: choice.name, from });
        last = choice;
    }
}

/// Returns in words which choice is the best at which bandwidth.
pub fn best_in_words(choices: &[Choice]) -> String {
    let found = best(choices);
    let Some(((first, between), last)) =
        found.split_last().and_then(|(last, rest)| Some((rest.split_first()?, last)))
    else {
        return found.first().map_or_else(String::new, |only| format!("always {}", only.name));
    };
    let limit = |at: usize| found.get(at).map_or_else(String::new, |best| number(best.from));
    let mut words = format!("{} below {} MB/s", first.name, limit(1));
    for (at, best) in between.iter().enumerate() {
        words += &format!("; {} from {} to {}", best.name, limit(at + 1), limit(at + 2));
    }
    words + &format!("; {} from {} on", last.name, number(last.from))
}

/// Returns in words at which bandwidth the stock initramfs is the better one of two.
pub fn stock_in_words(stock: &Choice, ours: &Choice) -> String {
    let (name, other) = (stock.name, ours.name);
    match (stock.until(ours), ours.until(stock)) {
        // It takes longer to boot.
        (Some(from), _) if from > 0.0 => {
            format!("{name} is sooner than {other} below {} MB/s", number(from))
        }
        (Some(_), _) => format!("{name} is never sooner than {other}"),
        // It takes less long to boot, but has more to load.
        (_, Some(from)) if from > 0.0 => {
            format!("{name} is sooner than {other} from {} MB/s on", number(from))
        }
        _ if stock.bytes == ours.bytes && stock.ms() == ours.ms() => {
            format!("{name} and {other} take the same time")
        }
        _ if stock.bytes > ours.bytes => format!("{name} is never sooner than {other}"),
        _ => format!("{name} is always sooner than {other}"),
    }
}

/// Returns a row for each choice, with a cell for each bandwidth. The best of a column are bold.
pub fn cells(choices: &[Choice], text: impl Fn(f64) -> String) -> Vec<Vec<String>> {
    let least = BANDWIDTHS.map(|bandwidth| {
        let all = choices.iter().map(|choice| choice.loaded_ms(bandwidth));
        text(all.fold(f64::INFINITY, f64::min))
    });
    let cell = |choice: &Choice, bandwidth, least: &String| match text(choice.loaded_ms(bandwidth))
    {
        best if best == *least => format!("**{best}**"),
        other => other,
    };
    let row = |choice| {
        BANDWIDTHS.iter().zip(&least).map(|(mb, least)| cell(choice, *mb, least)).collect()
    };
    choices.iter().map(row).collect()
}

/// Returns a bandwidth with two digits that count.
fn number(mb_per_s: f64) -> String {
    match mb_per_s {
        few if few < 9.95 => format!("{few:.1}"),
        some if some < 99.5 => format!("{some:.0}"),
        many => {
            let step = 10_f64.powf(many.log10().floor() - 1.0);
            format!("{:.0}", (many / step).round() * step)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Choice = Choice { name: "small", bytes: 20_000_000, ms: 2500.0 };
    const MIDDLE: Choice = Choice { name: "middle", bytes: 50_000_000, ms: 500.0 };
    const LARGE: Choice = Choice { name: "large", bytes: 100_000_000, ms: -3.0 };
    /// Never the best.
    const BAD: Choice = Choice { name: "bad", bytes: 90_000_000, ms: 2000.0 };

    #[test]
    fn loading_takes_size_divided_by_bandwidth() {
        assert_eq!(SMALL.loaded_ms(20), 1000.0 + 2500.0);
        // A boot that is quicker than the floor has no time to give back.
        assert_eq!(LARGE.loaded_ms(100), 1000.0);
    }

    #[test]
    fn the_best_change_with_the_bandwidth() {
        let all = [LARGE, BAD, SMALL, MIDDLE];
        let expected = [("small", 0.0), ("middle", 15.0), ("large", 100.0)];
        assert_eq!(best(&all), expected.map(|(name, from)| Best { name, from }));
        let words = "small below 15 MB/s; middle from 15 to 100; large from 100 on";
        assert_eq!(best_in_words(&all), words);
        assert_eq!(best_in_words(&[SMALL]), "always small");
        assert_eq!(best_in_words(&[]), "");
        // At each bandwidth, the table agrees.
        let bold = |rows: &[Vec<String>], column: usize| {
            rows.iter().position(|row| row[column].starts_with("**")).map(|row| all[row].name)
        };
        let rows = cells(&all, |ms| format!("{ms:.0}"));
        assert_eq!(bold(&rows, 0), Some("middle"));
        assert_eq!(bold(&rows, 3), Some("large"));
    }

    #[test]
    fn of_equals_the_smaller_one_is_the_best() {
        let twin = Choice { name: "twin", bytes: 30_000_000, ..SMALL };
        assert_eq!(best(&[twin, SMALL]), [Best { name: "small", from: 0.0 }]);
        let quicker = Choice { name: "quicker", ms: 1.0, ..SMALL };
        assert_eq!(best(&[SMALL, quicker]), [Best { name: "quicker", from: 0.0 }]);
        // Level at the same bandwidth: the quicker of the two.
        let level = Choice { name: "level", bytes: 35_000_000, ms: 1500.0 };
        assert_eq!(
            best(&[SMALL, level, MIDDLE]).last(),
            Some(&Best { name: "middle", from: 15.0 })
        );
        assert_eq!(best(&[SMALL, level, MIDDLE]).len(), 2);
    }

    #[test]
    fn less_than_a_tenth_of_a_millisecond_makes_no_difference() {
        let sooner = Choice { name: "sooner", bytes: 90_000_000, ms: 0.01 };
        let smaller = Choice { name: "smaller", bytes: 50_000_000, ms: 0.04 };
        assert_eq!(best_in_words(&[sooner, smaller]), "always smaller");
    }

    #[test]
    fn stock_is_said_to_be_better_where_it_is() {
        assert_eq!(stock_in_words(&SMALL, &MIDDLE), "small is sooner than middle below 15 MB/s");
        assert_eq!(stock_in_words(&MIDDLE, &SMALL), "middle is sooner than small from 15 MB/s on");
        assert_eq!(stock_in_words(&BAD, &MIDDLE), "bad is never sooner than middle");
        assert_eq!(stock_in_words(&MIDDLE, &BAD), "middle is always sooner than bad");
        assert_eq!(stock_in_words(&SMALL, &SMALL), "small and small take the same time");
        let twin = Choice { name: "twin", bytes: 30_000_000, ..SMALL };
        assert_eq!(stock_in_words(&SMALL, &twin), "small is always sooner than twin");
        assert_eq!(stock_in_words(&twin, &SMALL), "twin is never sooner than small");
    }

    #[test]
    fn bandwidths_have_two_digits() {
        let all = [0.84, 9.96, 12.4, 99.6, 254.0, 1960.0].map(number);
        assert_eq!(all, ["0.8", "10", "12", "100", "250", "2000"]);
    }
}
