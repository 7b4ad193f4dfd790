// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k] (+ bias[i]) for CPU drivers, many activation rows.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE].
// Grid: one thread per tile of ROWS weight rows and 4 activation rows, numbered along the weight rows first. A driver's cost
// is loads, at about 30 cycles for each scalar: four blocks of x stay in registers while the tile's weights are decoded, once
// for four products. The loop over weight rows is not unrolled, as that multiplied the compile time and gained nothing.
// Workgroup memory: none, and no barrier.
// Consts: WG, ROWS, N, ROW_TILES, BLOCKS, OVER_OUTPUT_ROWS. Parts: weight, dot, epilogue.

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let first = (id.x % ROW_TILES) * ROWS;
  let t = (id.x / ROW_TILES) * 4u;
  let count = select(step.rows, step.output_rows, OVER_OUTPUT_ROWS);
  if (t >= count) {
    return;
  }
  let rows = min(ROWS, N - first);
  // Rows past the end repeat the last one and are not stored.
  let t1 = min(t + 1u, count - 1u);
  let t2 = min(t + 2u, count - 1u);
  let t3 = min(t + 3u, count - 1u);
  var acc: array<vec4<f32>, ROWS>;
  for (var block = 0u; block < BLOCKS; block++) {
    let x0 = x_block(t, block);
    let x1 = x_block(t1, block);
    let x2 = x_block(t2, block);
    let x3 = x_block(t3, block);
    for (var r = 0u; r < rows; r++) {
      let ws = w_block(first + r, block);
      acc[r] += vec4<f32>(dot_block(ws, x0), dot_block(ws, x1), dot_block(ws, x2), dot_block(ws, x3));
    }
  }
  for (var j = 0u; j < min(4u, count - t); j++) {
    for (var r = 0u; r < rows; r++) {
      finish(t + j, first + r, acc[r][j]);
    }
    if (first + rows == N) {
      zero_tail(t + j);
    }
  }
}
