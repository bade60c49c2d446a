//! Order statistics of measured values.

use std::time::Duration;

/// Measured values, smallest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest value that `percent` per cent of all do not exceed (nearest rank); 0 of nothing.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).or(self.0.last()).copied().unwrap_or_default()
    }

    /// The value in the middle.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The mean; 0 of nothing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a few hundred values")]
    pub fn mean(&self) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.iter().sum::<f64>() / self.0.len() as f64 }
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

/// Milliseconds, with fractions.
#[must_use]
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Microseconds, with fractions.
#[must_use]
pub fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sample: Sample = (1..=200).rev().map(f64::from).collect();
        assert_eq!(sample.median().to_bits(), 100.0_f64.to_bits());
        assert_eq!(sample.percentile(90).to_bits(), 180.0_f64.to_bits());
        assert_eq!(sample.percentile(99).to_bits(), 198.0_f64.to_bits());
        assert_eq!(sample.percentile(0).to_bits(), 1.0_f64.to_bits());
        assert_eq!(sample.percentile(100).to_bits(), 200.0_f64.to_bits());
        assert_eq!(sample.mean().to_bits(), 100.5_f64.to_bits());
        assert_eq!(sample.len(), 200);
    }

    #[test]
    fn one_value_is_every_percentile_and_none_is_nothing() {
        let one: Sample = [7.0].into_iter().collect();
        assert_eq!([1, 50, 99].map(|p| one.percentile(p).to_bits()), [7.0_f64.to_bits(); 3]);
        assert!(Sample::default().is_empty());
        assert_eq!(Sample::default().median().to_bits(), 0.0_f64.to_bits());
        assert_eq!(Sample::default().mean().to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn durations_keep_their_fractions() {
        assert_eq!(milliseconds(Duration::from_micros(1500)).to_bits(), 1.5_f64.to_bits());
        assert_eq!(microseconds(Duration::from_nanos(2500)).to_bits(), 2.5_f64.to_bits());
    }
}
