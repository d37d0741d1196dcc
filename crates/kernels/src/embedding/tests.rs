use super::{embedding, portable};
use crate::harness::{SIZES, fast_equals_portable, numbers};
use burn::tensor::{Device, Int, Tensor, TensorData};
use mixlab_core::{Key, Purpose};

fn ids(shape: [usize; 2], vocabulary: usize, device: &Device) -> Tensor<2, Int> {
    let stream = Key::root(9).purpose(Purpose::Synthetic).sample(0);
    let ids: Vec<i64> =
        (0..(shape[0] * shape[1]) as u64).map(|i| stream.below(i, vocabulary as u64) as i64).collect();
    Tensor::from_data(TensorData::new(ids, shape), device)
}

#[test]
fn equals_the_portable_definition() {
    // Few ids repeat often, many ids leave rows without a token; the last makes several blocks of work.
    let cases = SIZES.map(|width| (5, width, [2, 9])).into_iter();
    for (vocabulary, width, shape) in cases.chain([(100, 3, [1, 65]), (700, 100, [3, 150]), (1, 1, [1, 1])]) {
        fast_equals_portable(
            &format!("{vocabulary} x {width} at {shape:?}"),
            |t| {
                let ids = ids(shape, vocabulary, t.device());
                embedding(t.input("weight", [vocabulary, width]), ids)
            },
            |t| {
                let ids = ids(shape, vocabulary, t.device());
                portable::embedding(t.input("weight", [vocabulary, width]), ids)
            },
        );
    }
}

#[test]
fn rows_by_hand() {
    let device = Device::flex();
    let weight = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device);
    let ids = Tensor::<2, Int>::from_data([[1, 0, 1]], &device);
    assert_eq!(numbers(embedding(weight, ids)), [3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
}

#[test]
#[should_panic(expected = "index 2 of 2")]
fn an_id_outside_the_vocabulary_is_refused() {
    let device = Device::flex();
    let weight = Tensor::<2>::from_floats([[1.0], [3.0]], &device);
    embedding(weight, Tensor::<2, Int>::from_data([[2]], &device));
}
