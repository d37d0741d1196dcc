//! Philox-4x32-10, the counter-based generator under every random number of the project.
//!
//! A counter-based generator is a keyed bijection: block `i` is computed from `i` alone, so any
//! element of any stream can be drawn in any order, on any thread, again and again.
//!
//! Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
//! section 3.3 and the known-answer vectors of the authors' Random123 distribution.

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// One block of four 32-bit words for `counter` under `key`.
///
/// Formula, ten times: `(c0, c1, c2, c3) ← (hi(M1·c2) ⊕ c1 ⊕ k0, lo(M1·c2), hi(M0·c0) ⊕ c3 ⊕ k1, lo(M0·c0))`,
/// with the key raised by the Weyl constants between rounds.
#[inline]
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut c = counter;
    let mut k = key;
    for round in 0..ROUNDS {
        if round > 0 {
            k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
        }
        let p0 = u64::from(MULTIPLIERS[0]) * u64::from(c[0]);
        let p1 = u64::from(MULTIPLIERS[1]) * u64::from(c[2]);
        c = [(p1 >> 32) as u32 ^ c[1] ^ k[0], p1 as u32, (p0 >> 32) as u32 ^ c[3] ^ k[1], p0 as u32];
    }
    c
}

/// [`philox4x32_10`] of `N` counters at once, word by word: element `l` of the four arrays is the block of counter `l`.
///
/// Nothing but arithmetic on arrays, always inlined: inside a function compiled for a wide instruction
/// set it becomes vector code.
#[inline(always)]
pub fn philox4x32_10_lanes<const N: usize>(counters: [[u32; N]; 4], key: [u32; 2]) -> [[u32; N]; 4] {
    let mut c = counters;
    let mut k = key;
    for round in 0..ROUNDS {
        if round > 0 {
            k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
        }
        let mut next = [[0; N]; 4];
        for l in 0..N {
            let p0 = u64::from(MULTIPLIERS[0]) * u64::from(c[0][l]);
            let p1 = u64::from(MULTIPLIERS[1]) * u64::from(c[2][l]);
            next[0][l] = (p1 >> 32) as u32 ^ c[1][l] ^ k[0];
            next[1][l] = p1 as u32;
            next[2][l] = (p0 >> 32) as u32 ^ c[3][l] ^ k[1];
            next[3][l] = p0 as u32;
        }
        c = next;
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_the_single_blocks() {
        let counters = [[1, 2, u32::MAX], [4, 5, 6], [7, 8, 9], [0, 11, 12]];
        let lanes = philox4x32_10_lanes(counters, [13, 14]);
        for l in 0..3 {
            let single = philox4x32_10(counters.map(|word| word[l]), [13, 14]);
            assert_eq!(lanes.map(|word| word[l]), single);
        }
    }

    /// The three published vectors of Random123's `kat_vectors`, `philox 4x32 10`.
    #[test]
    fn matches_the_published_vectors() {
        let zero = philox4x32_10([0; 4], [0; 2]);
        assert_eq!(zero, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = philox4x32_10([u32::MAX; 4], [u32::MAX; 2]);
        assert_eq!(ones, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi =
            philox4x32_10([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]);
        assert_eq!(pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }
}
