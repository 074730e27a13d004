//! Latencies, counted in classes that are at most 1.6 % wide.

const BITS: u32 = 6;

/// Counts of nanoseconds.
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    most: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; (64 - BITS as usize + 1) << BITS], total: 0, most: 0 }
    }
}

impl Histogram {
    /// Counts one value.
    pub fn add(&mut self, nanoseconds: u64) {
        self.counts[class(nanoseconds)] += 1;
        self.total += 1;
        self.most = self.most.max(nanoseconds);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        (self.total, self.most) = (0, 0);
    }

    /// The value below which `share` of all lie, in microseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (class, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank && *count > 0 {
                return middle(class).min(self.most as f64) / 1e3;
            }
        }
        0.0
    }

    /// The largest value, in microseconds.
    pub fn most(&self) -> f64 {
        self.most as f64 / 1e3
    }
}

fn class(value: u64) -> usize {
    let magnitude = 64 - value.leading_zeros();
    let shift = magnitude.saturating_sub(BITS + 1);
    #[allow(clippy::cast_possible_truncation)]
    let place = (value >> shift) as usize;
    ((shift as usize) << BITS) + place
}

fn middle(class: usize) -> f64 {
    // Class numbers of the first shift run to twice the width; those behind it begin at their upper half.
    let width = 1_usize << BITS;
    if class < 2 * width {
        return class as f64;
    }
    let shift = class / width - 1;
    let place = class - (shift << BITS);
    (place as f64 + 0.5) * (1_u64 << shift) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_true_within_their_class() {
        for scale in [1, 1_000, 1_000_000, 1_000_000_000] {
            let mut found = Histogram::default();
            for value in 1..=1000 {
                found.add(value * scale);
            }
            for (share, value) in [(0.001, 1.0), (0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
                let exact = value * scale as f64 / 1e3;
                let given = found.quantile(share);
                assert!(
                    (given - exact).abs() <= exact * 0.016,
                    "{share} of {scale}: {given} instead of {exact}"
                );
            }
        }
    }

    #[test]
    fn classes_never_fall_and_hold_every_value() {
        let mut last = 0;
        for magnitude in 0..60 {
            for step in 0..8_u64 {
                let value = (1_u64 << magnitude) + step * (1 << magnitude) / 8;
                assert!(class(value) >= last && class(value) < Histogram::default().counts.len());
                last = class(value);
            }
        }
    }
}
