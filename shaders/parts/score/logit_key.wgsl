// Logits as u32 that compare as the floats do, made from their bits: tests for NaN in f32 may be optimised away.
// Needs `logits: array<vec4<u32>>` [rows, STRIDE]. Consts: COLS, STRIDE (vec4 per row).

/// What negative infinity becomes; NaN becomes 1 and a column that is not there 0, below it.
const KEY_LOWEST = 0x007fffffu;
/// What positive infinity becomes.
const KEY_HIGHEST = 0xff800000u;

/// Bits of four logits of a row.
fn logit_bits(row: u32, col4: u32) -> vec4<u32> {
  return logits[row * STRIDE + col4];
}

/// Whether the row cannot be sampled from because of these: NaN or positive infinity.
fn logit_broken(bits: vec4<u32>) -> vec4<bool> {
  return ((bits & vec4<u32>(0x7f800000u)) == vec4<u32>(0x7f800000u)) & (bits != vec4<u32>(0xff800000u));
}

/// Order-preserving keys of columns [4 col4, 4 col4 + 4); the zeros are equal.
fn logit_keys(bits: vec4<u32>, col4: u32) -> vec4<u32> {
  let unsigned = select(bits, vec4<u32>(), bits == vec4<u32>(0x80000000u));
  let negative = (unsigned & vec4<u32>(0x80000000u)) != vec4<u32>();
  let keys = select(unsigned | vec4<u32>(0x80000000u), ~unsigned, negative);
  let nan = (bits & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
  let inside = 4 * col4 + vec4<u32>(0, 1, 2, 3) < vec4<u32>(COLS);
  return select(vec4<u32>(), select(keys, vec4<u32>(1), nan), inside);
}
