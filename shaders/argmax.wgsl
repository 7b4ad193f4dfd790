// y[row] = (argmax_i x[row, i], bits of that x, flag, 0); flag 1 when the row holds NaN or nothing finite.
// x [output rows, V] as bits, y [output rows, 4].
// Grid: one workgroup per row. Workgroup memory: the parts'.
// Consts: WG, V, STRIDE. Parts: row_scan, reduce.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x;
  if (row >= step.output_rows) {
    return;
  }
  let nan = row_has_nan(row, lane);
  let best = row_best_after(row, Best(0.0, 0u), true, lane);
  if (lane == 0u) {
    let bad = nan > 0.0 || best.index == NO_INDEX;
    y[row * 4u] = best.index;
    y[row * 4u + 1u] = bitcast<u32>(best.value);
    y[row * 4u + 2u] = select(0u, 1u, bad);
    y[row * 4u + 3u] = 0u;
  }
}
