// Logits that may be drawn as bits: within +-1e30, or -3e38 where nothing may be; and their order. NaN and infinities are looked at as
// bits alone, because compilers assume that there are none.
// Consts: COLS.

/// Bits of -3e38, and its key: what may be drawn has a larger one.
const CANDIDATE_LOWEST = 0xff61b1e6u;
const CANDIDATE_LOWEST_KEY = 0x009e4e19u;
/// Bits of 1e30.
const CANDIDATE_MOST = 0x7149f2cau;

/// NaN or positive infinity.
fn candidate_broken(bits: vec4<u32>) -> vec4<bool> {
  return ((bits & vec4<u32>(0x7f800000u)) == vec4<u32>(0x7f800000u)) & (bits != vec4<u32>(0xff800000u));
}

fn candidate_finite(bits: vec4<u32>) -> vec4<bool> {
  return (bits & vec4<u32>(0x7f800000u)) != vec4<u32>(0x7f800000u);
}

/// Finite values within +-1e30.
fn candidate_clamp(bits: vec4<u32>) -> vec4<u32> {
  return min(bits & vec4<u32>(0x7fffffffu), vec4<u32>(CANDIDATE_MOST)) | (bits & vec4<u32>(0x80000000u));
}

/// Raw logits of columns [4 col4, 4 col4 + 4) as candidates.
fn candidate_raw(bits: vec4<u32>) -> vec4<u32> {
  return select(vec4<u32>(CANDIDATE_LOWEST), candidate_clamp(bits), candidate_finite(bits));
}

/// Whether the columns are there.
fn candidate_inside(col4: u32) -> vec4<bool> {
  return 4 * col4 + vec4<u32>(0, 1, 2, 3) < vec4<u32>(COLS);
}

/// Words that compare as the values do; the zeros are equal, a column that is not there is 0.
fn candidate_keys(bits: vec4<u32>, col4: u32) -> vec4<u32> {
  let unsigned = select(bits, vec4<u32>(), bits == vec4<u32>(0x80000000u));
  let negative = (unsigned & vec4<u32>(0x80000000u)) != vec4<u32>();
  let keys = select(unsigned | vec4<u32>(0x80000000u), ~unsigned, negative);
  return select(vec4<u32>(), keys, candidate_inside(col4));
}

/// The value of a key.
fn candidate_value(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));
}
