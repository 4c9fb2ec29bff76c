//! The forward pass of a small LSTM. Its result is the same to the last bit on every machine.
//!
//! One layer, 11 inputs, 16 hidden units, and a linear head with 11 outputs: for each
//! feature, its forecast for the next step in the units of [`NORMAL`] (0 is a usual value, 1
//! is one usual deviation above it).
//!
//! For each step, with x the normalised features (Hochreiter and Schmidhuber 1997, in the
//! form with a forget gate; gates in `PyTorch`'s order i, f, g, o):
//!
//! ```text
//! i, f, o = sigmoid(W x + U h + b)      g = tanh(W x + U h + b)
//! c = f c + i g                         h = o tanh(c)
//! y = V h + d                           after the last step
//! ```
//!
//! The weights are not trained. They are uniform in ±1/√16 (`PyTorch`'s default), times
//! [`GAIN`], so that the outputs react visibly to the inputs. They come from splitmix64 with a
//! fixed seed, in the order W, U, b, V, d, row by row. They do not depend on `--seed`: the same
//! input has the same answer on every server.
//!
//! It is the same everywhere because of these rules: f64 only, `libm` instead of the system's `exp` and
//! `tanh`, one fixed order of additions, and no fused multiply-add (Rust uses one only if it is written).

use crate::random::Stream;

/// Features in one time step.
pub const INPUTS: usize = 11;
/// Time steps in one request.
pub const STEPS: usize = 30;
/// Numbers in one answer.
pub const OUTPUTS: usize = 11;

const HIDDEN: usize = 16;
const GATES: usize = 4 * HIDDEN;
const WEIGHT_SEED: u64 = 0x4C53_544D; // "LSTM"
const GAIN: f64 = 2.0;

/// A usual value and a usual deviation of each feature, in the order of
/// [`crate::request::FEATURES`] and in the feature's own units.
pub const NORMAL: [(f64, f64); INPUTS] = [
    (1000.0, 1000.0),
    (500.0, 500.0),
    (15.0, 10.0),
    (16.0, 8.0),
    (12.0, 8.0),
    (0.05, 0.05),
    (0.05, 0.05),
    (50.0, 30.0),
    (30.0, 30.0),
    (15.0, 10.0),
    (15.0, 10.0),
];

/// Largest distance of an input from its usual value, in deviations. Inputs beyond are set to it, so that
/// every output is finite.
const CLAMP: f64 = 5.0;

/// The model: its weights.
#[derive(Debug)]
pub struct Lstm {
    from_input: [[f64; INPUTS]; GATES],
    from_hidden: [[f64; HIDDEN]; GATES],
    bias: [f64; GATES],
    head: [[f64; HIDDEN]; OUTPUTS],
    head_bias: [f64; OUTPUTS],
}

impl Lstm {
    /// The model with its fixed weights.
    pub fn new() -> Self {
        let stream = Stream::new(WEIGHT_SEED, 0);
        // 1/√16 is exactly a quarter.
        let bound = GAIN * 0.25;
        let mut index = 0;
        let mut next = || {
            let weight = (2.0 * stream.unit(index) - 1.0) * bound;
            index += 1;
            weight
        };
        Self {
            from_input: std::array::from_fn(|_| std::array::from_fn(|_| next())),
            from_hidden: std::array::from_fn(|_| std::array::from_fn(|_| next())),
            bias: std::array::from_fn(|_| next()),
            head: std::array::from_fn(|_| std::array::from_fn(|_| next())),
            head_bias: std::array::from_fn(|_| next()),
        }
    }

    /// The forecast for the step after the given ones, oldest first.
    pub fn predict(&self, steps: &[[f64; INPUTS]; STEPS]) -> [f64; OUTPUTS] {
        let mut hidden = [0.0; HIDDEN];
        let mut cell = [0.0; HIDDEN];
        for step in steps {
            let input = normalise(step);
            let gates: [f64; GATES] = std::array::from_fn(|row| {
                let from_input = dot(&self.from_input[row], &input);
                let from_hidden = dot(&self.from_hidden[row], &hidden);
                self.bias[row] + from_input + from_hidden
            });
            for unit in 0..HIDDEN {
                let keep = sigmoid(gates[HIDDEN + unit]);
                let add = sigmoid(gates[unit]) * libm::tanh(gates[2 * HIDDEN + unit]);
                cell[unit] = keep * cell[unit] + add;
                hidden[unit] = sigmoid(gates[3 * HIDDEN + unit]) * libm::tanh(cell[unit]);
            }
        }
        std::array::from_fn(|row| self.head_bias[row] + dot(&self.head[row], &hidden))
    }
}

impl Default for Lstm {
    fn default() -> Self {
        Self::new()
    }
}

fn normalise(step: &[f64; INPUTS]) -> [f64; INPUTS] {
    std::array::from_fn(|at| {
        let (usual, deviation) = NORMAL[at];
        ((step[at] - usual) / deviation).clamp(-CLAMP, CLAMP)
    })
}

/// Always adds from left to right, because floating-point addition is not associative.
fn dot<const N: usize>(left: &[f64; N], right: &[f64; N]) -> f64 {
    let mut sum = 0.0;
    for at in 0..N {
        sum += left[at] * right[at];
    }
    sum
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usual() -> [[f64; INPUTS]; STEPS] {
        [NORMAL.map(|(usual, _)| usual); STEPS]
    }

    /// Checked once against an independent implementation in Python, to 2e-16.
    #[test]
    fn the_answer_to_a_known_input_is_known() {
        let mut steps = usual();
        for (at, step) in steps.iter_mut().enumerate() {
            step[0] += 10.0 * at as f64;
        }
        let known: [f64; OUTPUTS] = [
            -0.045_124_818_720_406_745,
            -0.073_690_878_326_680_39,
            -0.206_674_447_480_422_52,
            0.330_768_516_582_371,
            -0.523_247_637_776_767_1,
            -0.573_133_094_763_378_8,
            0.591_936_659_300_496_4,
            0.425_400_425_471_982_4,
            -0.171_943_893_009_101_96,
            -0.554_158_162_417_963,
            0.223_992_493_238_252_15,
        ];
        let answer = Lstm::new().predict(&steps);
        // Compared as bits: the answer must not depend on the machine.
        assert_eq!(answer.map(f64::to_bits), known.map(f64::to_bits), "{answer:?}");
    }

    #[test]
    fn every_feature_of_the_first_and_the_last_step_matters_to_every_output() {
        let model = Lstm::new();
        let before = model.predict(&usual());
        for step in [0, STEPS - 1] {
            for feature in 0..INPUTS {
                let mut steps = usual();
                steps[step][feature] += NORMAL[feature].1;
                let after = model.predict(&steps);
                for output in 0..OUTPUTS {
                    let change = (after[output] - before[output]).abs();
                    assert!(change > 0.0, "step {step} feature {feature} → {output}");
                    let visible = step == 0 || change > 1e-6;
                    assert!(visible, "step {step} feature {feature} → {output}: {change}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn outputs_stay_in_range_for_every_input(
            values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO, INPUTS),
        ) {
            let mut step = [0.0; INPUTS];
            step.copy_from_slice(&values);
            let outputs = Lstm::new().predict(&[step; STEPS]);
            // |h| < 1, so |y| is at most 17 weights of at most 0.5.
            prop_assert!(outputs.iter().all(|y| y.abs() <= 8.5), "{outputs:?}");
        }
    }
}
