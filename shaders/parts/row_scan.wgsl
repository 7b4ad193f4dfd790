// Walks one row of logits for the kernels that choose from it: its finite best after a given one, and whether it holds NaN.
// Infinities are passed over. Bit patterns decide, because compilers may assume that floats are finite.
// Consts: WG, V (columns), STRIDE (elements from row to row). Parts: reduce/best or reduce/best_alone. Binding: x.

const LOWEST: f32 = -3.4e38;
const NO_INDEX: u32 = 0xffffffffu;

fn is_finite_bits(bits: u32) -> bool {
  return (bits & 0x7f800000u) != 0x7f800000u;
}

fn is_nan_bits(bits: u32) -> bool {
  return (bits & 0x7fffffffu) > 0x7f800000u;
}

/// 1 when the row holds a NaN, else 0; uniform.
fn row_has_nan(row: u32, lane: u32) -> f32 {
  var found = 0.0;
  for (var i = lane; i < V; i += WG) {
    found = select(found, 1.0, is_nan_bits(x[row * STRIDE + i]));
  }
  return min(reduce_add(found, lane), 1.0);
}

/// The best finite element that comes after `last` in order; index NO_INDEX when there is none. Uniform.
fn row_best_after(row: u32, last: Best, first: bool, lane: u32) -> Best {
  var best = Best(LOWEST, NO_INDEX);
  for (var i = lane; i < V; i += WG) {
    let bits = x[row * STRIDE + i];
    let candidate = Best(bitcast<f32>(bits), i);
    if (is_finite_bits(bits) && (first || better(last, candidate)) && better(candidate, best)) {
      best = candidate;
    }
  }
  return reduce_best(best, lane);
}
