//! Functions that are compiled for several instruction sets.
//!
//! The compiler's default target is plain x86-64, whose vectors hold four `f32`. [`vectorised!`]
//! compiles one body three times, for AVX-512, for AVX2 with fused multiply-add, and for the
//! default target, and picks at run time. Kernels call `mul_add` explicitly and sum in a fixed
//! number of lanes, so the three give the same bits.

/// Defines a function that is compiled for several instruction sets and chooses among them when called.
///
/// Everything the body calls in its inner loop must be `#[inline(always)]`: a function that is not
/// inlined is compiled for the default target only.
macro_rules! vectorised {
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident $(<$($generic:ident : $bound:path),+>)? (
            $($argument:ident : $type:ty),* $(,)?
        ) $(-> $result:ty)? $body:block
    ) => {
        $(#[$meta])*
        $vis fn $name $(<$($generic: $bound),+>)? ($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body $(<$($generic: $bound),+>)? ($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx512 $(<$($generic: $bound),+>)? ($($argument: $type),*) $(-> $result)? {
                    body $(::<$($generic),+>)? ($($argument),*)
                }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2 $(<$($generic: $bound),+>)? ($($argument: $type),*) $(-> $result)? {
                    body $(::<$($generic),+>)? ($($argument),*)
                }
                match $crate::cpu::Level::detect() {
                    // SAFETY: `detect` found every feature these functions are compiled for.
                    $crate::cpu::Level::Avx512 => {
                        return unsafe { avx512 $(::<$($generic),+>)? ($($argument),*) };
                    }
                    // SAFETY: as above.
                    $crate::cpu::Level::Avx2 => {
                        return unsafe { avx2 $(::<$($generic),+>)? ($($argument),*) };
                    }
                    $crate::cpu::Level::Baseline => {}
                }
            }
            body $(::<$($generic),+>)? ($($argument),*)
        }
    };
}

pub(crate) use vectorised;
