// y[row] = (K ids as bits, their K logits descending, max, log sum exp, flag as bits, 0); flag 1 when the row holds NaN or
// nothing finite. Fewer than K finite logits: the remaining ids are 0xffffffff. One pass over the row for each of K, which is
// small; no sort.
// x [output rows, V] as bits, y [output rows, 2 K + 4] as bits, Y_STRIDE apart.
// Grid: one workgroup per row. Workgroup memory: the parts'.
// Consts: WG, V, STRIDE, K, Y_STRIDE. Parts: row_scan, reduce.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x;
  if (row >= step.output_rows) {
    return;
  }
  let base = row * Y_STRIDE;
  let nan = row_has_nan(row, lane);
  let top = row_best_after(row, Best(0.0, 0u), true, lane);
  var sum = 0.0;
  for (var i = lane; i < V; i += WG) {
    let bits = x[row * STRIDE + i];
    sum += select(0.0, exp(bitcast<f32>(bits) - top.value), is_finite_bits(bits));
  }
  let total = reduce_add(sum, lane);
  var best = top;
  for (var k = 0u; k < K; k++) {
    if (k > 0u) {
      best = row_best_after(row, best, false, lane);
    }
    if (lane == 0u) {
      y[base + k] = best.index;
      y[base + K + k] = bitcast<u32>(best.value);
    }
  }
  if (lane == 0u) {
    y[base + 2u * K] = bitcast<u32>(top.value);
    y[base + 2u * K + 1u] = bitcast<u32>(top.value + log(total));
    y[base + 2u * K + 2u] = select(0u, 1u, nan > 0.0 || top.index == NO_INDEX);
    y[base + 2u * K + 3u] = 0u;
    for (var i = 2u * K + 4u; i < Y_STRIDE; i++) {
      y[base + i] = 0u;
    }
  }
}
