//! Vectors of the processor at hand: the only file of the backend with `unsafe` code.
//!
//! A [`Job`] is written once, generically over an [`Isa`], and [`dispatch`] compiles it for every instruction set and runs
//! the copy that fits. Everything between `dispatch` and the intrinsics is `#[inline(always)]`, since a function that is
//! not inlined into one with `#[target_feature]` would be compiled for the baseline.
//!
//! Safety of the vector types: their methods call intrinsics of one instruction set. The types are named only through an
//! [`Isa`], an `Isa` is handed out only by `dispatch`, and `dispatch` asks the processor first.

use std::fmt;

use bytemuck::Pod;

/// Instruction sets, slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every x86-64 (or other) processor has.
    Baseline,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F.
    Avx512,
}

impl Level {
    /// The best level of this processor.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma") {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Baseline
    }

    /// All levels this processor has.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let all = [Self::Baseline, Self::Avx2, Self::Avx512];
        all.into_iter().filter(|&l| l <= Self::detect()).collect()
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Baseline => "baseline",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

/// The arithmetic that kernels need of a scalar type, besides operators.
pub(super) trait Scalar: Pod + PartialOrd + Default + Send + Sync + fmt::Debug {
    /// Unit roundoff.
    const UNIT: f64;
    /// Vectors of an instruction set.
    type In<I: Isa>: Vector<Scalar = Self>;
    fn from_f64(x: f64) -> Self;
    fn to_f64(self) -> f64;
}

impl Scalar for f32 {
    const UNIT: f64 = 1.0 / (1u64 << 24) as f64;
    type In<I: Isa> = I::Single;
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x as Self
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Scalar for f64 {
    const UNIT: f64 = 1.0 / (1u64 << 53) as f64;
    type In<I: Isa> = I::Double;
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
}

/// A vector of `WIDTH` scalars, one per goal.
pub(super) trait Vector: Copy {
    type Scalar: Scalar;
    /// The instruction set whose vector it is.
    const LEVEL: Level;
    const WIDTH: usize;
    fn splat(x: Self::Scalar) -> Self;
    /// Loads the first `WIDTH` scalars. Panics if there are fewer.
    fn load(from: &[Self::Scalar]) -> Self;
    /// Stores to the first `WIDTH` scalars. Panics if there are fewer.
    fn store(self, to: &mut [Self::Scalar]);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// `self * b + c`, rounded once where the instruction set can, else twice.
    fn mul_add(self, b: Self, c: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    fn min(self, other: Self) -> Self;
    fn abs(self) -> Self;
    /// `then` in the lanes where `self > than`, else `otherwise`.
    fn where_greater(self, than: Self, then: Self, otherwise: Self) -> Self;
    /// `then` in the lanes where `self == to`, else `otherwise`.
    fn where_equal(self, to: Self, then: Self, otherwise: Self) -> Self;
    /// Adds `sum[i] + sum[i + 8]` to `to[i]`, in double precision.
    #[inline(always)]
    fn add_wide(sum: &[Self::Scalar; 16], to: &mut [f64; 8]) {
        for (i, to) in to.iter_mut().enumerate() {
            *to += sum[i].to_f64() + sum[i + 8].to_f64();
        }
    }
}

/// A vector of 64-bit lanes that carry 32-bit words in their lower halves (the upper halves may hold anything).
pub(super) trait Words: Copy {
    const WIDTH: usize;
    fn splat(x: u32) -> Self;
    /// `first, first + 2, first + 4, ...`.
    fn every_second(first: u32) -> Self;
    /// Full 64-bit product of the lower halves.
    fn product(self, factor: Self) -> Self;
    /// The upper half of every lane, moved down.
    fn upper(self) -> Self;
    fn xor3(self, b: Self, c: Self) -> Self;
    /// Interleaves the upper halves (as signed integers) of two vectors, adds `low`, scales by a power of two, and stores
    /// `2 * WIDTH` floats.
    fn store_scaled(even: Self, odd: Self, low: i32, spacing: f32, to: &mut [f32]);
    /// Interleaves the lower halves of two vectors and stores `2 * WIDTH` words.
    fn store_words(even: Self, odd: Self, to: &mut [u32]);
}

/// One instruction set.
pub(super) trait Isa {
    type Single: Vector<Scalar = f32>;
    type Double: Vector<Scalar = f64>;
    type Words: Words;
}

/// Vectors that multiply numbers of 16 bits by twos. They are bfloat16, the upper half of single precision: eight significant bits. Numbers next to the smallest may be taken for zero.
pub(super) trait Halves: Vector<Scalar = f32> {
    /// Two such numbers for each of `WIDTH` goals.
    type Pairs: Copy;
    /// The same two, the first in the lower half, for every goal.
    fn pairs(both: u32) -> Self::Pairs;
    /// Loads the first `WIDTH` pairs. Panics if there are fewer.
    fn load_pairs(from: &[u32]) -> Self::Pairs;
    /// Rounds to pairs, to nearest or to even, and stores them.
    fn store_pairs(first: Self, second: Self, to: &mut [u32]);
    /// `self` and the sum of the two products.
    fn add_products(self, a: Self::Pairs, b: Self::Pairs) -> Self;
}

/// Work that is compiled for processors that multiply pairs of bfloat16, and for those that do not.
pub(super) trait HalvesJob {
    /// Must be `#[inline(always)]`, and so must all it calls in its loops.
    fn run<V: Halves>(self);
}

/// Whether a level multiplies pairs of bfloat16 on this processor.
pub(super) fn has_halves(level: Level) -> bool {
    #[cfg(target_arch = "x86_64")]
    if level.min(Level::detect()) == Level::Avx512 {
        return is_x86_feature_detected!("avx512bf16");
    }
    let _ = level;
    false
}

/// Runs a job with the instructions for it where the level has them; else with single precision that is rounded alike, which is slow.
pub(super) fn dispatch_halves(level: Level, job: impl HalvesJob) {
    #[cfg(target_arch = "x86_64")]
    if has_halves(level) {
        // SAFETY: `has_halves` found AVX-512 and BF16.
        return unsafe { x86::run_halves(job) };
    }
    let _ = level;
    job.run::<[f32; 8]>();
}

/// A number rounded to bfloat16, to nearest or to even. Not for NaN.
pub(super) fn halved(x: f32) -> u16 {
    let bits = x.to_bits();
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// Work that is compiled once per instruction set.
pub(super) trait Job {
    type Output;
    /// Must be `#[inline(always)]`, and so must all it calls in its loops.
    fn run<I: Isa>(self) -> Self::Output;
}

/// Runs a job with the instructions of `level`, or of the best level below it that the processor has.
pub(super) fn dispatch<J: Job>(level: Level, job: J) -> J::Output {
    #[cfg(target_arch = "x86_64")]
    match level.min(Level::detect()) {
        // SAFETY: `detect` found the features that the two functions enable.
        Level::Avx512 => return unsafe { x86::run_avx512(job) },
        // SAFETY: as above.
        Level::Avx2 => return unsafe { x86::run_avx2(job) },
        Level::Baseline => {}
    }
    let _ = level;
    job.run::<Baseline>()
}

/// Plain arrays, left to the compiler.
pub(super) struct Baseline;

impl Isa for Baseline {
    type Single = [f32; 8];
    type Double = [f64; 4];
    type Words = [u64; 4];
}

macro_rules! array_vector {
    ($scalar:ty, $width:literal) => {
        impl Vector for [$scalar; $width] {
            type Scalar = $scalar;
            const LEVEL: Level = Level::Baseline;
            const WIDTH: usize = $width;
            #[inline(always)]
            fn splat(x: $scalar) -> Self {
                [x; $width]
            }
            #[inline(always)]
            fn load(from: &[$scalar]) -> Self {
                std::array::from_fn(|i| from[i])
            }
            #[inline(always)]
            fn store(self, to: &mut [$scalar]) {
                to[..$width].copy_from_slice(&self);
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                std::array::from_fn(|i| self[i] + other[i])
            }
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                std::array::from_fn(|i| self[i] - other[i])
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                std::array::from_fn(|i| self[i] * other[i])
            }
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                // Not `f32::mul_add`: without the instruction that is a library call.
                std::array::from_fn(|i| self[i] * b[i] + c[i])
            }
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                std::array::from_fn(|i| self[i] / other[i])
            }
            #[inline(always)]
            fn where_greater(self, than: Self, then: Self, otherwise: Self) -> Self {
                std::array::from_fn(|i| {
                    if self[i] > than[i] {
                        then[i]
                    } else {
                        otherwise[i]
                    }
                })
            }
            #[inline(always)]
            fn where_equal(self, to: Self, then: Self, otherwise: Self) -> Self {
                std::array::from_fn(|i| {
                    if self[i] == to[i] {
                        then[i]
                    } else {
                        otherwise[i]
                    }
                })
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                std::array::from_fn(|i| {
                    if self[i] > other[i] {
                        self[i]
                    } else {
                        other[i]
                    }
                })
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                std::array::from_fn(|i| {
                    if self[i] < other[i] {
                        self[i]
                    } else {
                        other[i]
                    }
                })
            }
            #[inline(always)]
            fn abs(self) -> Self {
                std::array::from_fn(|i| self[i].abs())
            }
        }
    };
}

array_vector!(f32, 8);
array_vector!(f64, 4);

impl Halves for [f32; 8] {
    type Pairs = [u32; 8];
    #[inline(always)]
    fn pairs(both: u32) -> [u32; 8] {
        [both; 8]
    }
    #[inline(always)]
    fn load_pairs(from: &[u32]) -> [u32; 8] {
        std::array::from_fn(|i| from[i])
    }
    #[inline(always)]
    fn store_pairs(first: Self, second: Self, to: &mut [u32]) {
        for i in 0..8 {
            to[i] = u32::from(halved(first[i])) | u32::from(halved(second[i])) << 16;
        }
    }
    #[inline(always)]
    fn add_products(self, a: [u32; 8], b: [u32; 8]) -> Self {
        let low = |x: u32| f32::from_bits(x << 16);
        let high = |x: u32| f32::from_bits(x & 0xffff_0000);
        std::array::from_fn(|i| self[i] + (low(a[i]) * low(b[i]) + high(a[i]) * high(b[i])))
    }
}

impl Words for [u64; 4] {
    const WIDTH: usize = 4;
    #[inline(always)]
    fn splat(x: u32) -> Self {
        [u64::from(x); 4]
    }
    #[inline(always)]
    fn every_second(first: u32) -> Self {
        std::array::from_fn(|i| u64::from(first) + 2 * i as u64)
    }
    #[inline(always)]
    fn product(self, factor: Self) -> Self {
        std::array::from_fn(|i| u64::from(self[i] as u32) * u64::from(factor[i] as u32))
    }
    #[inline(always)]
    fn upper(self) -> Self {
        std::array::from_fn(|i| self[i] >> 32)
    }
    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        std::array::from_fn(|i| self[i] ^ b[i] ^ c[i])
    }
    #[inline(always)]
    fn store_scaled(even: Self, odd: Self, low: i32, spacing: f32, to: &mut [f32]) {
        for i in 0..4 {
            to[2 * i] = ((even[i] >> 32) as i32).wrapping_add(low) as f32 * spacing;
            to[2 * i + 1] = ((odd[i] >> 32) as i32).wrapping_add(low) as f32 * spacing;
        }
    }
    #[inline(always)]
    fn store_words(even: Self, odd: Self, to: &mut [u32]) {
        for i in 0..4 {
            to[2 * i] = even[i] as u32;
            to[2 * i + 1] = odd[i] as u32;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Halves, HalvesJob, Isa, Job, Level, Vector, Words};

    pub(super) struct Avx2;
    pub(super) struct Avx512;

    impl Isa for Avx2 {
        type Single = Single256;
        type Double = Double256;
        type Words = Words256;
    }

    impl Isa for Avx512 {
        type Single = Single512;
        type Double = Double512;
        type Words = Words512;
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn run_avx2<J: Job>(job: J) -> J::Output {
        job.run::<Avx2>()
    }

    #[target_feature(enable = "avx512f,avx2,fma")]
    pub(super) fn run_avx512<J: Job>(job: J) -> J::Output {
        job.run::<Avx512>()
    }

    #[target_feature(enable = "avx512f,avx512bf16,avx2,fma")]
    pub(super) fn run_halves(job: impl HalvesJob) {
        job.run::<Single512>();
    }

    impl Halves for Single512 {
        type Pairs = __m512i;
        #[inline(always)]
        fn pairs(both: u32) -> __m512i {
            // SAFETY: AVX-512 F and BF16 are there: pairs are asked for by `run_halves` alone.
            unsafe { _mm512_set1_epi32(both.cast_signed()) }
        }
        #[inline(always)]
        fn load_pairs(from: &[u32]) -> __m512i {
            let from = &from[..16];
            // SAFETY: as above; 16 words are in the slice.
            unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
        }
        #[inline(always)]
        fn store_pairs(first: Self, second: Self, to: &mut [u32]) {
            let to = &mut to[..16];
            // SAFETY: as above; 16 words fit in the slice, and 16 numbers of 16 bits are 256 bits whatever their type is called.
            unsafe {
                let half = |x| {
                    let bits = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(x));
                    _mm512_cvtepu16_epi32(bits)
                };
                let both = _mm512_or_si512(half(first.0), _mm512_slli_epi32::<16>(half(second.0)));
                _mm512_storeu_si512(to.as_mut_ptr().cast(), both);
            }
        }
        #[inline(always)]
        fn add_products(self, a: __m512i, b: __m512i) -> Self {
            // SAFETY: as above; 32 numbers of 16 bits are 512 bits whatever their type is called.
            Self(unsafe {
                let bits = |x| std::mem::transmute::<__m512i, __m512bh>(x);
                _mm512_dpbf16_ps(self.0, bits(a), bits(b))
            })
        }
    }

    // SAFETY of every block in the macro: the instruction set is there (see the head of this file), and loads and
    // stores stay within a slice whose length was checked.
    macro_rules! x86_vector {
        ($name:ident, $scalar:ty, $register:ty, $width:literal, $splat:ident, $load:ident, $store:ident, $add:ident,
         $sub:ident, $mul:ident, $mul_add:ident, $div:ident, $max:ident, $min:ident, $abs:expr, $select:ident, {$($more:item)*}) => {
            #[derive(Clone, Copy)]
            pub(crate) struct $name($register);

            impl Vector for $name {
                type Scalar = $scalar;
                const LEVEL: Level = match $width * size_of::<$scalar>() {
                    64 => Level::Avx512,
                    _ => Level::Avx2,
                };
                const WIDTH: usize = $width;
                #[inline(always)]
                fn splat(x: $scalar) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $splat(x) })
                }
                #[inline(always)]
                fn load(from: &[$scalar]) -> Self {
                    let from = &from[..$width];
                    // SAFETY: see the macro.
                    Self(unsafe { $load(from.as_ptr()) })
                }
                #[inline(always)]
                fn store(self, to: &mut [$scalar]) {
                    let to = &mut to[..$width];
                    // SAFETY: see the macro.
                    unsafe { $store(to.as_mut_ptr(), self.0) }
                }
                #[inline(always)]
                fn add(self, other: Self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $add(self.0, other.0) })
                }
                #[inline(always)]
                fn sub(self, other: Self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $sub(self.0, other.0) })
                }
                #[inline(always)]
                fn mul(self, other: Self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $mul(self.0, other.0) })
                }
                #[inline(always)]
                fn mul_add(self, b: Self, c: Self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $mul_add(self.0, b.0, c.0) })
                }
                #[inline(always)]
                fn div(self, other: Self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $div(self.0, other.0) })
                }
                #[inline(always)]
                fn where_greater(self, than: Self, then: Self, otherwise: Self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $select!(_CMP_GT_OQ, self.0, than.0, then.0, otherwise.0) })
                }
                #[inline(always)]
                fn where_equal(self, to: Self, then: Self, otherwise: Self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $select!(_CMP_EQ_OQ, self.0, to.0, then.0, otherwise.0) })
                }
                #[inline(always)]
                fn max(self, other: Self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $max(self.0, other.0) })
                }
                #[inline(always)]
                fn min(self, other: Self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $min(self.0, other.0) })
                }
                #[inline(always)]
                fn abs(self) -> Self {
                    // SAFETY: see the macro.
                    Self(unsafe { $abs(self.0) })
                }
                $($more)*
            }
        };
    }

    macro_rules! select_512_ps {
        ($compare:ident, $a:expr, $b:expr, $then:expr, $otherwise:expr) => {
            _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<$compare>($a, $b), $otherwise, $then)
        };
    }
    macro_rules! select_512_pd {
        ($compare:ident, $a:expr, $b:expr, $then:expr, $otherwise:expr) => {
            _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<$compare>($a, $b), $otherwise, $then)
        };
    }
    macro_rules! select_256_ps {
        ($compare:ident, $a:expr, $b:expr, $then:expr, $otherwise:expr) => {
            _mm256_blendv_ps($otherwise, $then, _mm256_cmp_ps::<$compare>($a, $b))
        };
    }
    macro_rules! select_256_pd {
        ($compare:ident, $a:expr, $b:expr, $then:expr, $otherwise:expr) => {
            _mm256_blendv_pd($otherwise, $then, _mm256_cmp_pd::<$compare>($a, $b))
        };
    }

    x86_vector!(
        Single512,
        f32,
        __m512,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_fmadd_ps,
        _mm512_div_ps,
        _mm512_max_ps,
        _mm512_min_ps,
        |x| _mm512_abs_ps(x),
        select_512_ps,
        {
            #[inline(always)]
            fn add_wide(sum: &[f32; 16], to: &mut [f64; 8]) {
                // SAFETY: as above; 16 floats are read, 8 doubles are read and written.
                unsafe {
                    let low = _mm512_cvtps_pd(_mm256_loadu_ps(sum.as_ptr()));
                    let high = _mm512_cvtps_pd(_mm256_loadu_ps(sum[8..].as_ptr()));
                    let more = _mm512_add_pd(low, high);
                    let all = _mm512_add_pd(_mm512_loadu_pd(to.as_ptr()), more);
                    _mm512_storeu_pd(to.as_mut_ptr(), all);
                }
            }
        }
    );
    x86_vector!(
        Double512,
        f64,
        __m512d,
        8,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_add_pd,
        _mm512_sub_pd,
        _mm512_mul_pd,
        _mm512_fmadd_pd,
        _mm512_div_pd,
        _mm512_max_pd,
        _mm512_min_pd,
        |x| _mm512_abs_pd(x),
        select_512_pd,
        {}
    );
    x86_vector!(
        Single256,
        f32,
        __m256,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_fmadd_ps,
        _mm256_div_ps,
        _mm256_max_ps,
        _mm256_min_ps,
        |x| _mm256_andnot_ps(_mm256_set1_ps(-0.0), x),
        select_256_ps,
        {
            #[inline(always)]
            fn add_wide(sum: &[f32; 16], to: &mut [f64; 8]) {
                for half in [0, 4] {
                    // SAFETY: as above; each half reads 8 of 16 floats, and reads and writes 4 of 8 doubles.
                    unsafe {
                        let low = _mm256_cvtps_pd(_mm_loadu_ps(sum[half..].as_ptr()));
                        let high = _mm256_cvtps_pd(_mm_loadu_ps(sum[half + 8..].as_ptr()));
                        let more = _mm256_add_pd(low, high);
                        let all = _mm256_add_pd(_mm256_loadu_pd(to[half..].as_ptr()), more);
                        _mm256_storeu_pd(to[half..].as_mut_ptr(), all);
                    }
                }
            }
        }
    );
    x86_vector!(
        Double256,
        f64,
        __m256d,
        4,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_add_pd,
        _mm256_sub_pd,
        _mm256_mul_pd,
        _mm256_fmadd_pd,
        _mm256_div_pd,
        _mm256_max_pd,
        _mm256_min_pd,
        |x| _mm256_andnot_pd(_mm256_set1_pd(-0.0), x),
        select_256_pd,
        {}
    );

    #[derive(Clone, Copy)]
    pub(crate) struct Words512(__m512i);

    impl Words for Words512 {
        const WIDTH: usize = 8;
        #[inline(always)]
        fn splat(x: u32) -> Self {
            // SAFETY: AVX-512 F is there (see the head of this file).
            Self(unsafe { _mm512_set1_epi64(i64::from(x)) })
        }
        #[inline(always)]
        fn every_second(first: u32) -> Self {
            // SAFETY: as above.
            Self(unsafe {
                let steps = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
                _mm512_add_epi64(_mm512_set1_epi64(i64::from(first)), steps)
            })
        }
        #[inline(always)]
        fn product(self, factor: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm512_mul_epu32(self.0, factor.0) })
        }
        #[inline(always)]
        fn upper(self) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm512_srli_epi64::<32>(self.0) })
        }
        #[inline(always)]
        fn xor3(self, b: Self, c: Self) -> Self {
            // SAFETY: as above. 0x96 is the truth table of a three-way exclusive or.
            Self(unsafe { _mm512_ternarylogic_epi64::<0x96>(self.0, b.0, c.0) })
        }
        #[inline(always)]
        fn store_scaled(even: Self, odd: Self, low: i32, spacing: f32, to: &mut [f32]) {
            let to = &mut to[..16];
            // SAFETY: as above; 16 floats fit in the slice. The mask takes even 32-bit lanes from the odd ones of `even`.
            unsafe {
                let both = _mm512_mask_shuffle_epi32::<0b11_11_01_01>(odd.0, 0x5555, even.0);
                let m = _mm512_add_epi32(both, _mm512_set1_epi32(low));
                let x = _mm512_mul_ps(_mm512_cvtepi32_ps(m), _mm512_set1_ps(spacing));
                _mm512_storeu_ps(to.as_mut_ptr(), x);
            }
        }
        #[inline(always)]
        fn store_words(even: Self, odd: Self, to: &mut [u32]) {
            let to = &mut to[..16];
            // SAFETY: as above; 16 words fit in the slice.
            unsafe {
                let both = _mm512_mask_blend_epi32(0xAAAA, even.0, _mm512_slli_epi64::<32>(odd.0));
                _mm512_storeu_si512(to.as_mut_ptr().cast(), both);
            }
        }
    }

    #[derive(Clone, Copy)]
    pub(crate) struct Words256(__m256i);

    impl Words for Words256 {
        const WIDTH: usize = 4;
        #[inline(always)]
        fn splat(x: u32) -> Self {
            // SAFETY: AVX2 is there (see the head of this file).
            Self(unsafe { _mm256_set1_epi64x(i64::from(x)) })
        }
        #[inline(always)]
        fn every_second(first: u32) -> Self {
            // SAFETY: as above.
            Self(unsafe {
                let steps = _mm256_setr_epi64x(0, 2, 4, 6);
                _mm256_add_epi64(_mm256_set1_epi64x(i64::from(first)), steps)
            })
        }
        #[inline(always)]
        fn product(self, factor: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm256_mul_epu32(self.0, factor.0) })
        }
        #[inline(always)]
        fn upper(self) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm256_srli_epi64::<32>(self.0) })
        }
        #[inline(always)]
        fn xor3(self, b: Self, c: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm256_xor_si256(_mm256_xor_si256(self.0, b.0), c.0) })
        }
        #[inline(always)]
        fn store_scaled(even: Self, odd: Self, low: i32, spacing: f32, to: &mut [f32]) {
            let to = &mut to[..8];
            // SAFETY: as above; 8 floats fit in the slice.
            unsafe {
                let both =
                    _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<32>(even.0), odd.0);
                let m = _mm256_add_epi32(both, _mm256_set1_epi32(low));
                let x = _mm256_mul_ps(_mm256_cvtepi32_ps(m), _mm256_set1_ps(spacing));
                _mm256_storeu_ps(to.as_mut_ptr(), x);
            }
        }
        #[inline(always)]
        fn store_words(even: Self, odd: Self, to: &mut [u32]) {
            let to = &mut to[..8];
            // SAFETY: as above; 8 words fit in the slice.
            unsafe {
                let both =
                    _mm256_blend_epi32::<0b1010_1010>(even.0, _mm256_slli_epi64::<32>(odd.0));
                _mm256_storeu_si256(to.as_mut_ptr().cast(), both);
            }
        }
    }
}
