//! From values to places in a picture.

/// The width of every small picture; it is drawn about this many pixels wide on every screen.
pub const WIDTH: f64 = 360.0;
/// Where the axis of a small picture ends: half a label of it fits to the right.
pub const RIGHT: f64 = 344.0;
/// The greatest width of a character.
pub const CHARACTER: f64 = 6.2;

/// Maps values to places, evenly or by their logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    least: f64,
    most: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Where it is.
    pub at: f64,
    /// The label beside it.
    pub label: String,
}

impl Scale {
    /// Returns a scale of even steps: the value 0 stands at the position `from`, and `most` at `to`.
    pub fn linear(most: f64, from: f64, to: f64) -> Self {
        Self { least: 0.0, most: most.max(f64::MIN_POSITIVE), from, to, logarithmic: false }
    }

    /// Returns a scale of equal factors: `least`, which is above zero, stands at the position `from`, and `most` at `to`.
    pub fn logarithmic(least: f64, most: f64, from: f64, to: f64) -> Self {
        Self { least, most: most.max(least * 10.0), from, to, logarithmic: true }
    }

    /// The place of `value`; what lies outside is put on the edge.
    pub fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.least, self.most);
        let part = if self.logarithmic {
            (value / self.least).ln() / (self.most / self.least).ln()
        } else {
            value / self.most
        };
        round(self.from + part * (self.to - self.from))
    }

    /// About `wanted` round values with their places; on a logarithmic scale the powers of ten.
    pub fn ticks(&self, wanted: usize, label: impl Fn(f64) -> String) -> Vec<Tick> {
        let values: Vec<f64> = if self.logarithmic {
            let first = self.least.log10().ceil() as i32;
            let last = self.most.log10().floor() as i32;
            (first..=last).map(|power| 10f64.powi(power)).collect()
        } else {
            let step = step(self.most / wanted.max(1) as f64);
            (0..).map(|n| f64::from(n) * step).take_while(|value| *value <= self.most * 1.000_1).collect()
        };
        values.into_iter().map(|value| Tick { at: self.at(value), label: label(value) }).collect()
    }
}

/// The smallest of 1, 2, 5, 10, 20, 50, … that is at least `rough`.
fn step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough * 0.999_9);
    factor.unwrap_or(10.0) * power
}

/// Rounded to a tenth, which is finer than any screen.
pub fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_scale_are_its_edges_and_what_lies_outside_stays_on_them() {
        let scale = Scale::linear(3000.0, 70.0, 370.0);
        assert_eq!(
            [0.0, 1500.0, 3000.0, 9000.0, -5.0].map(|v| scale.at(v)),
            [70.0, 220.0, 370.0, 370.0, 70.0]
        );
    }

    #[test]
    fn a_scale_may_run_upwards() {
        assert_eq!(Scale::linear(500.0, 120.0, 20.0).at(250.0), 70.0);
    }

    #[test]
    fn equal_factors_are_equally_far_apart() {
        let scale = Scale::logarithmic(0.1, 100.0, 0.0, 300.0);
        assert_eq!([0.01, 0.1, 1.0, 10.0, 100.0].map(|v| scale.at(v)), [0.0, 0.0, 100.0, 200.0, 300.0]);
    }

    #[test]
    fn ticks_are_round_values() {
        let labels = |scale: Scale| -> Vec<String> {
            scale.ticks(4, |value| value.to_string()).into_iter().map(|tick| tick.label).collect()
        };
        assert_eq!(labels(Scale::linear(3100.0, 0.0, 1.0)), ["0", "1000", "2000", "3000"]);
        assert_eq!(labels(Scale::linear(1004.0, 0.0, 1.0)), ["0", "500", "1000"]);
        assert_eq!(labels(Scale::logarithmic(0.05, 60.0, 0.0, 1.0)), ["0.1", "1", "10"]);
    }

    #[test]
    fn a_scale_of_nothing_stays_in_the_picture() {
        assert_eq!(Scale::linear(0.0, 0.0, 10.0).at(0.0), 0.0);
    }
}
