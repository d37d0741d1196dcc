//! Which colour and which dashes a group is drawn with.

use crate::picture::{COLORS, DASHES};
use crate::study::numbered::numbered;
use crate::study::results::Group;

/// The number of every group's stroke.
///
/// Where groups differ in several things, the last decides on the colour and the others together on the dashes, so that what is alike looks
/// alike; if there are too many of either, groups are numbered as they come.
pub(super) fn appearances(groups: &[Group]) -> Vec<usize> {
    let others =
        |group: &Group| group.coordinates.split_last().map_or(Vec::new(), |(_, others)| others.to_vec());
    let (colors, color_count) = by_last(groups);
    let (dashes, dash_count) = numbered(groups.iter().map(others));
    if color_count > COLORS || dash_count > DASHES {
        return (0..groups.len()).collect();
    }
    colors.into_iter().zip(dashes).map(|(color, dash)| dash * COLORS + color).collect()
}

/// The number of every group's colour, where nothing else has to tell groups apart: that of the last thing they differ in, or as they come if
/// there are too many.
pub(super) fn colors(groups: &[Group]) -> Vec<usize> {
    let (colors, count) = by_last(groups);
    if count > COLORS { (0..groups.len()).collect() } else { colors }
}

fn by_last(groups: &[Group]) -> (Vec<usize>, usize) {
    numbered(groups.iter().map(|group| group.coordinates.last().cloned().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(coordinates: &[&[&str]]) -> Vec<Group> {
        let group = |coordinates: &&[&str]| Group {
            coordinates: coordinates.iter().map(|&coordinate| coordinate.to_owned()).collect(),
            runs: Vec::new(),
        };
        coordinates.iter().map(group).collect()
    }

    #[test]
    fn what_is_alike_looks_alike() {
        let found = appearances(&groups(&[&["12", "a"], &["12", "b"], &["48", "a"], &["48", "b"]]));
        assert_eq!(found, [0, 1, COLORS, COLORS + 1]);
        assert_eq!(appearances(&groups(&[&["a"], &["b"], &["c"]])), [0, 1, 2]);
        assert_eq!(appearances(&groups(&[&[]])), [0]);
        // Eight colours are too many, and so are five kinds of dashes.
        let names: Vec<String> = (0..8).map(|i| i.to_string()).collect();
        let many: Vec<Vec<&str>> = names.iter().map(|name| vec![name.as_str()]).collect();
        let many: Vec<&[&str]> = many.iter().map(Vec::as_slice).collect();
        assert_eq!(appearances(&groups(&many)), (0..8).collect::<Vec<_>>());
        let dashed: Vec<Vec<&str>> = names[..5].iter().map(|name| vec![name.as_str(), "a"]).collect();
        let dashed: Vec<&[&str]> = dashed.iter().map(Vec::as_slice).collect();
        assert_eq!(appearances(&groups(&dashed)), (0..5).collect::<Vec<_>>());
        assert_eq!(colors(&groups(&dashed)), [0; 5]);
        assert_eq!(colors(&groups(&many)), (0..8).collect::<Vec<_>>());
    }
}
