//! Kernels against their definitions, on the activations of the model: the value, the gradient of the input and that of
//! every parameter, without masks, with padding and with documents.

use std::collections::BTreeSet;

use burn::tensor::{Bool, Tensor, TensorData};
use mixlab_core::Precision;
use mixlab_kernels::{Mask, portable};

use super::everywhere;
use crate::audit::compare::{EXACT, Finding, SINGLE, Tolerance, Trial, first_difference, largest};
use crate::audit::specimen::{Specimen, documents, noise, shown};
use crate::audit::{Audited, Differentiated};

/// Least size of a gradient that errors are relative to, over the largest gradient of the layer: gradients that are
/// zero but for rounding, such as that of a key's bias, have no size of their own.
const LEAST_GRADIENT: f64 = 1e-2;

/// How much farther than its definition a kernel may be from the truth where rounding alone takes the definition far.
const SLACK: f64 = 8.0;

/// Relative error that no amount of rounding excuses.
const INEXCUSABLE: f64 = 1e-2;

/// Runs the layer by its kernels and by its definition, in double precision and in that of the model.
pub(super) fn fast_equals_plain<A: Audited>(specimen: &Specimen<'_, A>, trial: &mut Trial) {
    for (name, mask) in masks(specimen.length()) {
        let case = Case { specimen, mask, name };
        trial.expect_none(case.differs(&specimen.x, None));
        let Some(own) = specimen.own else { continue };
        // Where an activation function has a kink, rounding can decide on which side a number falls. It does not do so
        // twice, on other numbers.
        let finding = case.differs(&specimen.x, Some(own));
        trial.expect_none(finding.and_then(|_| case.differs(&specimen.other, Some(own))));
    }
}

/// No mask, and from two tokens on padding, documents and both.
fn masks(n: usize) -> Vec<(&'static str, Mask)> {
    let mut masks = vec![("", Mask::default())];
    if n > 1 {
        // A third of the tokens behind, and one in the middle of the second sample.
        let behind = move |position| position > 2 * n / 3;
        let padding =
            shown(n, move |sample, position| !behind(position) && (sample == 0 || position != n / 2));
        let documents = documents(n, move |sample, position| u32::from(position > (n - 1) / (sample + 2)));
        let both = Mask { padding: padding.padding.clone(), segments: documents.segments.clone() };
        masks.extend([
            (" with padding", padding),
            (" with documents", documents),
            (" with padding and documents", both),
        ]);
    }
    masks
}

/// A layer under one mask.
struct Case<'a, A> {
    specimen: &'a Specimen<'a, A>,
    mask: Mask,
    name: &'static str,
}

impl<A: Audited> Case<'_, A> {
    /// Where kernels and definitions part: in double precision, or in that of `own`.
    fn differs(&self, x: &Tensor<3>, own: Option<&A>) -> Option<Finding> {
        let exact = self.specimen.stack;
        let Some(own) = own else {
            let (fast, plain) = (self.evaluate(exact, x), portable(|| self.evaluate(exact, x)));
            return self.first(&fast, &plain, EXACT, "double");
        };
        let (fast, plain) = (self.evaluate(own, x), portable(|| self.evaluate(own, x)));
        let truth = portable(|| self.evaluate(exact, x));
        let rounding = self.parts(&plain, &truth).iter().map(Part::difference).fold(0.0, f64::max);
        let relative = (SLACK * rounding).clamp(SINGLE, INEXCUSABLE);
        let precision = if own.precision() == Precision::F64 { "double" } else { "single" };
        self.first(&fast, &plain, relative, precision)
    }

    /// Value and gradients, the outputs of hidden tokens left out of both: they are unspecified.
    fn evaluate(&self, stack: &A, x: &Tensor<3>) -> Differentiated {
        let dtype = stack.precision().dtype();
        let upstream = self.seen(noise(self.specimen.key.site("upstream"), &self.specimen.y)).cast(dtype);
        let context = self.specimen.context(self.mask.clone());
        let found = stack.differentiate(self.specimen.layer, x.clone().cast(dtype), upstream, &context);
        Differentiated { value: self.seen(found.value), ..found }
    }

    /// Zeros at hidden tokens.
    fn seen(&self, values: Tensor<3>) -> Tensor<3> {
        let Some(real) = &self.mask.padding else { return values };
        let [samples, n, width] = values.dims();
        let hidden: Vec<bool> = real.iter().map(|real| !real).collect();
        let hidden: Tensor<3, Bool> =
            Tensor::from_data(TensorData::new(hidden, [samples, n, 1]), &values.device());
        values.mask_fill(hidden.expand([samples, n, width]), 0.0)
    }

    fn first(
        &self,
        fast: &Differentiated,
        plain: &Differentiated,
        relative: f64,
        precision: &str,
    ) -> Option<Finding> {
        let differs = |part: Part| {
            let what = || format!("{} part{} in {precision} precision", part.what, self.name);
            let tolerance = Tolerance { relative, scale: part.scale };
            let finding = first_difference(&part.fast, &part.plain, tolerance, everywhere, what)?;
            Some(if part.has_places { finding } else { Finding { sample: None, position: None, ..finding } })
        };
        self.parts(fast, plain).into_iter().find_map(differs)
    }

    /// The value, the gradient of the input, and those of all parameters.
    fn parts(&self, fast: &Differentiated, plain: &Differentiated) -> Vec<Part> {
        let input = |of: &Differentiated| of.input.clone().unwrap_or_else(|| of.value.zeros_like());
        let overall = plain.parameters.values().map(largest).fold(largest(&input(plain)), f64::max);
        let gradient = |what: String, fast: Tensor<3>, plain: Tensor<3>, has_places: bool| {
            let what = format!("{what} by kernel and by definition");
            Part { what, fast, plain, scale: LEAST_GRADIENT * overall, has_places }
        };
        let value = Part {
            what: "where kernel and definition".to_owned(),
            fast: fast.value.clone(),
            plain: plain.value.clone(),
            scale: self.specimen.scale,
            has_places: true,
        };
        let of_input =
            gradient("where the gradients of the input".to_owned(), input(fast), input(plain), true);
        // A parameter without part in one form may have a gradient of zeros in the other.
        let paths: BTreeSet<&String> = fast.parameters.keys().chain(plain.parameters.keys()).collect();
        let of_parameters = paths.into_iter().map(|path| {
            let [fast, plain] = [(fast, plain), (plain, fast)].map(|(of, other)| {
                let zeros = || other.parameters[path].zeros_like();
                let gradient = of.parameters.get(path).cloned().unwrap_or_else(zeros);
                let count = gradient.dims()[0];
                gradient.reshape([1, 1, count])
            });
            gradient(format!("the gradients of `{path}`"), fast, plain, false)
        });
        [value, of_input].into_iter().chain(of_parameters).collect()
    }
}

/// What two evaluations must agree in.
struct Part {
    what: String,
    fast: Tensor<3>,
    plain: Tensor<3>,
    /// The least size that errors are relative to.
    scale: f64,
    /// Whether the axes are sample, position and channel.
    has_places: bool,
}

impl Part {
    /// Largest difference over the largest value.
    fn difference(&self) -> f64 {
        let [fast, plain] =
            [&self.fast, &self.plain].map(|values| values.clone().cast(burn::tensor::DType::F64));
        let scale = self.scale.max(largest(&plain)).max(f64::MIN_POSITIVE);
        largest(&(fast - plain)) / scale
    }
}
