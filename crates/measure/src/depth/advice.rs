//! The sentence at the end: which scheme, and why.

use mixlab_nn::residual::UpdateKind;

use super::report::{SchemeReport, UpdateReport};

/// Movements of the first update at the largest depth and the smallest that differ by less than this factor are called
/// flat.
pub(super) const FLAT: f64 = 2.0;

/// The scheme for `optimizer`, judged at the largest depth: of those whose first update moves the output as far as it does
/// at the smallest, the one that stands the largest learning rate, or if that was not looked for, that moves the output
/// most.
pub(super) fn advise(schemes: &[SchemeReport], optimizer: UpdateKind) -> String {
    let under = |scheme: &SchemeReport| {
        let of = |trained| {
            scheme
                .updates
                .iter()
                .find(move |u| u.optimizer == optimizer && u.norms_trained == trained)
                .cloned()
        };
        let mut update: UpdateReport = of(false)?;
        // Learning rates are looked for with norms trained, as users train them.
        for (point, trained) in update.points.iter_mut().zip(of(true).into_iter().flat_map(|u| u.points)) {
            point.survives = point.survives.or(trained.survives);
        }
        Some(update)
    };
    let all: Vec<(&str, UpdateReport)> =
        schemes.iter().filter_map(|scheme| Some((scheme.scheme.as_str(), under(scheme)?))).collect();
    let flat = all.iter().filter(|(_, update)| {
        update.growth.is_some_and(|growth| (1.0 / FLAT..=FLAT).contains(&growth))
            && update.points.last().and_then(|point| point.first).is_some_and(|moved| moved < 0.5)
    });
    let rank = |update: &UpdateReport| -> (f64, f64) {
        let last = update.points.last();
        (
            last.and_then(|point| point.survives).unwrap_or(0.0),
            last.and_then(|point| point.first).unwrap_or(0.0),
        )
    };
    // Of equals the first one.
    let Some((scheme, update)) =
        flat.rev().max_by(|a, b| rank(&a.1).partial_cmp(&rank(&b.1)).unwrap_or(std::cmp::Ordering::Equal))
    else {
        return format!(
            "Under {optimizer} no scheme measured keeps the size of an update: prefer a smaller depth, or a long warm-up."
        );
    };
    let (Some(first), Some(last)) = (update.points.first(), update.points.last()) else {
        return format!("Under {optimizer} nothing was measured.");
    };
    let percent = |value: Option<f64>| format!("{:.2} %", 100.0 * value.unwrap_or(f64::NAN));
    let worst = all
        .iter()
        .filter_map(|(name, update)| Some((*name, update.points.last()?.first?)))
        .filter(|(other, _)| other != scheme)
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let mut sentence = format!(
        "Under {optimizer} use {scheme}: its first update moves the output by {} at {} blocks and {} at {}",
        percent(last.first),
        last.depth,
        percent(first.first),
        first.depth
    );
    if let Some(rate) = last.survives {
        sentence.push_str(&format!(", it stands a learning rate of {rate:.1e}"));
    }
    if let Some((other, moved)) = worst {
        sentence.push_str(&format!(", while {other} moves it by {}", percent(Some(moved))));
    }
    sentence + "."
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::depth::report::Point;

    fn scheme(name: &str, moved: [f64; 2], survives: Option<f64>) -> SchemeReport {
        let point = |depth, first, survives| Point { depth, first: Some(first), last: None, survives };
        SchemeReport {
            scheme: name.to_owned(),
            profiles: Vec::new(),
            updates: vec![UpdateReport {
                optimizer: UpdateKind::Adam,
                learning_rate: 1e-3,
                norms_trained: false,
                points: vec![point(6, moved[0], None), point(96, moved[1], survives)],
                growth: Some(moved[1] / moved[0]),
            }],
        }
    }

    #[test]
    fn the_largest_movement_that_does_not_grow() {
        let schemes = [
            scheme("explodes", [0.4, 1.1], None),
            scheme("slow", [0.001, 0.0009], None),
            scheme("good", [0.013, 0.0144], None),
            scheme("grows", [0.03, 0.14], None),
        ];
        let sentence = advise(&schemes, UpdateKind::Adam);
        assert!(
            sentence.starts_with("Under Adam use good: its first update moves the output by 1.44 % at 96"),
            "{sentence}"
        );
        assert!(sentence.contains("while explodes moves it by 110.00 %"), "{sentence}");
        assert!(advise(&schemes[..1], UpdateKind::Adam).contains("no scheme measured keeps"));
        let rates =
            [scheme("fast", [0.001, 0.0009], Some(0.1)), scheme("frail", [0.013, 0.0144], Some(0.001))];
        assert!(advise(&rates, UpdateKind::Adam).contains("use fast"));
    }
}
