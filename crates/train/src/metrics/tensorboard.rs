//! TensorBoard event files: TFRecord framing around protocol-buffer messages.
//!
//! A record is `length (u64) · masked CRC-32C of the length · data · masked CRC-32C of the data`, all
//! little-endian. The messages used are
//!
//! ```text
//! Event   { 1: double wall_time, 2: int64 step, 3: string file_version | 5: Summary summary }
//! Summary { 1: repeated Value { 1: string tag, 2: float simple_value | 5: HistogramProto histo } }
//! HistogramProto { 1: double min, 2: max, 3: num, 4: sum, 5: sum_squares, 6: repeated bucket_limit, 7: repeated bucket }
//! ```

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::append::AppendFile;
use crate::TrainError;

/// Writes scalars and histograms to an event file.
pub(super) struct EventWriter {
    file: AppendFile,
}

impl EventWriter {
    /// Opens the file, cut back to `length`; a new one gets its version record.
    pub fn open(path: &Path, length: u64) -> Result<Self, TrainError> {
        let mut file = AppendFile::open(path, length)?;
        if file.length() == 0 {
            let mut event = wall_time();
            field_bytes(&mut event, 3, b"brain.Event:2");
            file.write(&record(&event))?;
        }
        Ok(EventWriter { file })
    }

    /// Appends one event with several scalars.
    pub fn scalars(&mut self, step: u64, scalars: &[(String, f64)]) -> Result<(), TrainError> {
        self.summary(step, scalars, |value, number| {
            value.push(2 << 3 | FIXED32);
            value.extend((*number as f32).to_le_bytes());
        })
    }

    /// Appends one event with several histograms that have a bucket for each number: the i-th, from 0, reaches from i to
    /// i + 1, and its height is the number.
    pub fn histograms(&mut self, step: u64, histograms: &[(&str, &[f64])]) -> Result<(), TrainError> {
        self.summary(step, histograms, |value, heights| field_bytes(value, 5, &histogram(heights)))
    }

    /// Appends one event with several tagged values, each written by `content`.
    fn summary<T>(
        &mut self,
        step: u64,
        values: &[(impl AsRef<str>, T)],
        content: impl Fn(&mut Vec<u8>, &T),
    ) -> Result<(), TrainError> {
        let mut summary = Vec::new();
        for (tag, number) in values {
            let mut value = Vec::new();
            field_bytes(&mut value, 1, tag.as_ref().as_bytes());
            content(&mut value, number);
            field_bytes(&mut summary, 1, &value);
        }
        let mut event = wall_time();
        event.push(2 << 3 | VARINT);
        varint(&mut event, step);
        field_bytes(&mut event, 5, &summary);
        self.file.write(&record(&event))
    }

    /// Makes the content durable and returns its length.
    pub fn sync(&mut self) -> Result<u64, TrainError> {
        self.file.sync()
    }
}

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;
const FIXED32: u8 = 5;

fn wall_time() -> Vec<u8> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
    let mut event = vec![1 << 3 | FIXED64];
    event.extend(seconds.to_le_bytes());
    event
}

/// A message with a bucket for each height.
fn histogram(heights: &[f64]) -> Vec<u8> {
    let middles = || heights.iter().enumerate().map(|(i, &height)| (i as f64 + 0.5, height));
    let numbers = [
        0.0,
        heights.len() as f64,
        heights.iter().sum(),
        middles().map(|(x, height)| x * height).sum(),
        middles().map(|(x, height)| x * x * height).sum(),
    ];
    let mut message = Vec::new();
    for (field, number) in (1u8..).zip(numbers) {
        message.push(field << 3 | FIXED64);
        message.extend(f64::to_le_bytes(number));
    }
    let limits: Vec<u8> = (1..=heights.len()).flat_map(|limit| (limit as f64).to_le_bytes()).collect();
    field_bytes(&mut message, 6, &limits);
    let heights: Vec<u8> = heights.iter().flat_map(|height| height.to_le_bytes()).collect();
    field_bytes(&mut message, 7, &heights);
    message
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn field_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | LENGTH_DELIMITED);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(data.len() + 16);
    out.extend(length);
    out.extend(masked_crc(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked_crc(data).to_le_bytes());
    out
}

fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of a message: its number and its content.
    #[derive(Debug, PartialEq)]
    enum Field {
        Varint(u64),
        Fixed64(f64),
        Fixed32(f32),
        Bytes(Vec<u8>),
    }

    fn take_varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }

    fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
        let (head, tail) = bytes.split_first_chunk::<N>().unwrap();
        *bytes = tail;
        *head
    }

    fn decode(mut bytes: &[u8]) -> Vec<(u64, Field)> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = take_varint(&mut bytes);
            let field = match (key & 7) as u8 {
                VARINT => Field::Varint(take_varint(&mut bytes)),
                FIXED64 => Field::Fixed64(f64::from_le_bytes(take(&mut bytes))),
                FIXED32 => Field::Fixed32(f32::from_le_bytes(take(&mut bytes))),
                LENGTH_DELIMITED => {
                    let length = take_varint(&mut bytes) as usize;
                    let (head, tail) = bytes.split_at(length);
                    bytes = tail;
                    Field::Bytes(head.to_vec())
                }
                other => panic!("wire type {other}"),
            };
            fields.push((key >> 3, field));
        }
        fields
    }

    fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        while !bytes.is_empty() {
            let length: [u8; 8] = take(&mut bytes);
            assert_eq!(u32::from_le_bytes(take(&mut bytes)), masked_crc(&length));
            let (data, tail) = bytes.split_at(u64::from_le_bytes(length) as usize);
            bytes = tail;
            assert_eq!(u32::from_le_bytes(take(&mut bytes)), masked_crc(data));
            records.push(data.to_vec());
        }
        records
    }

    /// RFC 3720, appendix B.4: 32 zero bytes have the checksum 8a9136aa; the mask is from the format's
    /// definition.
    #[test]
    fn the_checksum_is_crc32c_masked() {
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        let rotated: u32 = 0x6d55_1522;
        assert_eq!(masked_crc(&[0; 32]), rotated.wrapping_add(0xa282_ead8));
    }

    #[test]
    fn what_is_written_decodes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        let mut writer = EventWriter::open(&path, 0).unwrap();
        let scalars = [("train/loss".to_owned(), 2.5), ("train/grad_norm".to_owned(), 0.125)];
        writer.scalars(300, &scalars).unwrap();
        let length = writer.sync().unwrap();
        drop(writer);
        EventWriter::open(&path, length).unwrap().scalars(301, &scalars[..1]).unwrap();

        let records = records(&std::fs::read(&path).unwrap());
        assert_eq!(records.len(), 3);
        assert_eq!(decode(&records[0])[1], (3, Field::Bytes(b"brain.Event:2".to_vec())));
        let event = decode(&records[1]);
        assert!(matches!(event[0], (1, Field::Fixed64(time)) if time > 1.6e9));
        assert_eq!(event[1], (2, Field::Varint(300)));
        let (5, Field::Bytes(summary)) = &event[2] else { panic!("{event:?}") };
        let values: Vec<_> = decode(summary)
            .into_iter()
            .map(|(_, value)| match value {
                Field::Bytes(value) => decode(&value),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(values[0], [(1, Field::Bytes(b"train/loss".to_vec())), (2, Field::Fixed32(2.5))]);
        assert_eq!(values[1][1], (2, Field::Fixed32(0.125)));
        assert_eq!(decode(&records[2])[1], (2, Field::Varint(301)));
    }

    /// Heights 2 and 6 of buckets around 0.5 and 1.5: together 8, first moment 1 + 9, second 0.5 + 13.5.
    #[test]
    fn a_histogram_has_a_bucket_a_layer() {
        let fields = decode(&histogram(&[2.0, 6.0]));
        let expected = [0.0, 2.0, 8.0, 10.0, 14.0];
        for (index, number) in expected.into_iter().enumerate() {
            assert_eq!(fields[index], (index as u64 + 1, Field::Fixed64(number)));
        }
        let packed = |numbers: [f64; 2]| Field::Bytes(numbers.iter().flat_map(|n| n.to_le_bytes()).collect());
        assert_eq!(fields[5..], [(6, packed([1.0, 2.0])), (7, packed([2.0, 6.0]))]);
    }
}
