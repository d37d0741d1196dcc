//! A stack of blocks on made-up data: what goes through it, what comes back, and what one update does to it.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_kernels::cross_entropy;
use mixlab_nn::{
    Backbone, Context, Initialiser, ModelConfig, ModelError, add_gradients, backward_from,
    parameter_gradients, parameter_values, with_parameters,
};

/// Sizes of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub rows: usize,
    pub length: usize,
    pub vocabulary: usize,
}

/// Blocks between a frozen embedding with unit normal entries and a frozen projection, with random tokens and targets.
pub(super) struct Specimen {
    backbone: Backbone,
    /// `[rows, length, width]`, without a graph.
    input: Tensor<3>,
    /// `[vocabulary, width]`.
    head: Tensor<2>,
    targets: Tensor<1, Int>,
    weights: Tensor<1>,
    context: Context,
    /// The loss of the best prediction that does not look at the tokens: the entropy of the targets.
    constant_loss: f64,
}

/// Gradients of the parameters of the blocks by path, and what they meet on their way.
pub(super) struct Backward {
    pub loss: f64,
    pub gradients: BTreeMap<String, Tensor<1>>,
    /// Root mean square of what each block puts out.
    pub signal: Vec<f64>,
    /// Root mean square of the gradient of the loss by what each block starts from, where the loss is summed over tokens.
    pub gradient: Vec<f64>,
}

impl Specimen {
    /// Of one model and one seed.
    pub fn new(
        config: &ModelConfig,
        causal: bool,
        sizes: Sizes,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let precision = Precision::F32;
        let model = config.build(sizes.vocabulary, seed, device, precision)?;
        let (d, tokens) = (config.width, sizes.rows * sizes.length);
        let key = Key::root(seed).purpose(Purpose::Synthetic);
        let stream = key.site("depth").sample(0);
        let id = |i: usize| stream.below(i as u64, sizes.vocabulary as u64) as usize;
        let table =
            Initialiser::Normal { deviation: 1.0 }.values(key.site("embedding"), sizes.vocabulary * d);
        let rows: Vec<f64> = (0..tokens).flat_map(|token| table[id(token) * d..][..d].to_vec()).collect();
        let head = Initialiser::xavier_normal(d, sizes.vocabulary, 1.0)
            .values(key.site("head"), sizes.vocabulary * d);
        let targets: Vec<i64> = (tokens..2 * tokens).map(|i| id(i) as i64).collect();
        let mut counts = vec![0usize; sizes.vocabulary];
        targets.iter().for_each(|&target| counts[target as usize] += 1);
        let share = |&count: &usize| count as f64 / tokens as f64;
        let constant_loss = -counts.iter().filter(|&&c| c > 0).map(share).map(|p| p * p.ln()).sum::<f64>();
        let options = (device, precision.dtype());
        Ok(Specimen {
            backbone: model.backbone().clone().train(),
            input: Tensor::from_data(TensorData::new(rows, [sizes.rows, sizes.length, d]), options),
            head: Tensor::from_data(TensorData::new(head, [sizes.vocabulary, d]), options),
            targets: Tensor::from_data(TensorData::new(targets, [tokens]), device),
            weights: Tensor::ones([tokens], options) / tokens as f64,
            context: Context::evaluation(sizes.rows, causal),
            constant_loss,
        })
    }

    /// The parameters of the blocks.
    pub fn backbone(&self) -> &Backbone {
        &self.backbone
    }

    /// The loss of the best prediction that does not look at the tokens, in nats.
    pub fn constant_loss(&self) -> f64 {
        self.constant_loss
    }

    /// The final vectors, without a graph.
    pub fn hidden(&self) -> Tensor<3> {
        self.backbone.valid().forward(self.input.clone(), &self.context)
    }

    /// The values of all parameters by path.
    pub fn values(&self) -> BTreeMap<String, Tensor<1>> {
        parameter_values(&self.backbone)
    }

    /// Exchanges parameters by path.
    pub fn set(&mut self, values: BTreeMap<String, Tensor<1>>) {
        self.backbone = with_parameters(self.backbone.clone(), values);
    }

    /// The loss of final vectors.
    fn loss(&self, hidden: Tensor<3>, tracked: bool) -> Tensor<1> {
        let [rows, length, width] = hidden.dims();
        let hidden = hidden.reshape([rows * length, width]);
        let (head, weights) = (self.head.clone(), self.weights.clone());
        let (head, weights, targets) = match tracked {
            true => (
                Tensor::from_inner(head),
                Tensor::from_inner(weights),
                Tensor::from_inner(self.targets.clone()),
            ),
            false => (head, weights, self.targets.clone()),
        };
        cross_entropy(hidden, head, None, targets, weights)
    }

    /// The mean loss in nats.
    pub fn mean_loss(&self) -> f64 {
        self.loss(self.hidden(), false).into_scalar::<f64>()
    }

    /// Forward and backward, block by block, so that the memory is that of one block and its inputs.
    pub fn backward(&self) -> Backward {
        let (valid, blocks) = (self.backbone.valid(), self.backbone.blocks().len());
        let mut inputs = vec![self.input.clone()];
        for block in 0..blocks {
            inputs.push(valid.run(block..block + 1, inputs[block].clone(), &self.context));
        }
        let signal = inputs[1..].iter().cloned().map(root_mean_square).collect();
        let track = |x: Tensor<3>| Tensor::from_inner(x).require_grad();
        let top = track(inputs.pop().expect("one more than blocks"));
        let loss = self.loss(self.backbone.finish(top.clone()), true);
        let mut gradients = loss.backward();
        let mut sums = parameter_gradients(&self.backbone, &mut gradients);
        let mut upstream = top.grad_remove(&mut gradients).expect("the loss depends on the last vectors");
        let tokens = (upstream.dims()[0] * upstream.dims()[1]) as f64;
        let mut gradient = Vec::with_capacity(blocks);
        for (index, input) in inputs.into_iter().enumerate().rev() {
            let input = track(input);
            let output = self.backbone.run(index..index + 1, input.clone(), &self.context);
            let mut gradients = backward_from(output, upstream);
            upstream = input.grad_remove(&mut gradients).expect("a block hands on what it gets");
            let block = parameter_gradients(&self.backbone.blocks()[index], &mut gradients);
            let beneath = |(path, gradient)| (format!("blocks.{index}.{path}"), gradient);
            add_gradients(&mut sums, block.into_iter().map(beneath));
            gradient.push(tokens * root_mean_square(upstream.clone()));
        }
        gradient.reverse();
        Backward { loss: loss.inner().into_scalar::<f64>(), gradients: sums, signal, gradient }
    }
}

/// Of all entries.
pub(super) fn root_mean_square<const D: usize>(x: Tensor<D>) -> f64 {
    x.powi_scalar(2).mean().into_scalar::<f64>().sqrt()
}

/// `‖to − from‖ / ‖from‖`.
pub(super) fn relative_movement(from: &Tensor<3>, to: Tensor<3>) -> f64 {
    root_mean_square(to - from.clone()) / root_mean_square(from.clone())
}
