//! The way from one latent to another.
//!
//! Directions go along the great circle through both at a constant speed (slerp); other latents go straight. Source: Shoemake, "Animating
//! rotation with quaternion curves", 1985, section 3.3.

/// Squared sine of the angle below which directions count as the same or as opposite.
const PARALLEL: f64 = 1e-12;

/// The way from one latent to another.
pub(super) struct Way {
    from: Vec<f64>,
    to: Vec<f64>,
    /// Angle between directions, and the direction across `from` in which `to` lies; none of a straight way.
    turn: Option<(f64, Vec<f64>)>,
    arbitrary: bool,
}

impl Way {
    /// Between directions if `spherical`, which have length 1.
    pub fn new(from: &[f64], to: &[f64], spherical: bool) -> Self {
        let (from, to) = (from.to_vec(), to.to_vec());
        if !spherical {
            return Way { from, to, turn: None, arbitrary: false };
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = dot(&from, &to).clamp(-1.0, 1.0);
        let across = |towards: &[f64]| -> Vec<f64> {
            let along = dot(towards, &from);
            let rest: Vec<f64> = towards.iter().zip(&from).map(|(t, f)| t - along * f).collect();
            let length = dot(&rest, &rest).sqrt();
            rest.iter().map(|value| value / length).collect()
        };
        if 1.0 - cosine * cosine > PARALLEL {
            let turn = Some((cosine.acos(), across(&to)));
            return Way { from, to, turn, arbitrary: false };
        }
        if cosine > 0.0 {
            return Way { from, to, turn: None, arbitrary: false };
        }
        let far = (0..from.len()).min_by(|&a, &b| from[a].abs().total_cmp(&from[b].abs())).unwrap_or(0);
        let axis: Vec<f64> = (0..from.len()).map(|i| if i == far { 1.0 } else { 0.0 }).collect();
        let turn = Some((std::f64::consts::PI, across(&axis)));
        Way { from, to, turn, arbitrary: true }
    }

    /// Whether other ways are as short.
    pub fn is_arbitrary(&self) -> bool {
        self.arbitrary
    }

    /// The point at a share of the way, 0 to 1.
    pub fn at(&self, share: f64) -> Vec<f64> {
        match &self.turn {
            // The ends are what they are, without rounding.
            _ if share == 0.0 => self.from.clone(),
            _ if share == 1.0 => self.to.clone(),
            Some((angle, across)) => {
                let (sine, cosine) = (share * angle).sin_cos();
                self.from.iter().zip(across).map(|(f, a)| cosine * f + sine * a).collect()
            }
            None => self.from.iter().zip(&self.to).map(|(f, t)| f + share * (t - f)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: &[f64], b: &[f64]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12)
    }

    #[test]
    fn directions_turn_at_a_constant_speed() {
        let way = Way::new(&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0], true);
        for step in 0..4 {
            let angle = std::f64::consts::FRAC_PI_2 * f64::from(step) / 3.0;
            assert!(near(&way.at(f64::from(step) / 3.0), &[angle.cos(), angle.sin(), 0.0]), "{step}");
        }
        assert!(!way.is_arbitrary());
    }

    #[test]
    fn the_same_direction_goes_nowhere() {
        let way = Way::new(&[0.6, 0.8], &[0.6, 0.8], true);
        assert!(near(&way.at(0.3), &[0.6, 0.8]) && !way.is_arbitrary());
    }

    #[test]
    fn opposite_directions_go_by_the_axis_that_is_furthest() {
        let way = Way::new(&[0.6, 0.8, 0.0], &[-0.6, -0.8, 0.0], true);
        assert!(way.is_arbitrary());
        assert!(near(&way.at(0.5), &[0.0, 0.0, 1.0]) && way.at(1.0) == [-0.6, -0.8, 0.0]);
    }

    #[test]
    fn other_latents_go_straight() {
        let way = Way::new(&[0.0, 1.0], &[2.0, -3.0], false);
        assert!(near(&way.at(0.25), &[0.5, 0.0]) && !way.is_arbitrary());
    }
}
