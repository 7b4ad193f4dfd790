// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k] (+ bias[i]) for CPU drivers, many activation rows.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE].
// Grid: (ceil(groups / GROUPS), ceil(rows / 4)), one workgroup of 8 lanes for GROUPS groups of 8 weight rows and 4 activation
// rows; a lane is a row of each group. A driver's cost is loads, at about 30 cycles for each scalar: four blocks of x stay in
// registers while the weights pass, decoded once for four products. The loop over weight rows is not unrolled, as that
// multiplied the compile time and gained nothing; `step.reserved0` is zero and keeps drivers from doing it themselves.
// Workgroup memory: none, and no barrier.
// Consts: N, GROUPS, BLOCKS, OVER_OUTPUT_ROWS. Parts: weight, dot, epilogue.

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = wg.x * GROUPS * 8u;
  let t = wg.y * 4u;
  let count = select(step.rows, step.output_rows, OVER_OUTPUT_ROWS);
  if (t >= count) {
    return;
  }
  let end = min(first + GROUPS * 8u, N);
  let blocks = BLOCKS + step.reserved0;
  // Rows past the end repeat the last one and are not stored.
  let t1 = min(t + 1u, count - 1u);
  let t2 = min(t + 2u, count - 1u);
  let t3 = min(t + 3u, count - 1u);
  var acc: array<vec4<f32>, GROUPS>;
  for (var block = 0u; block < blocks; block++) {
    let x0 = x_block(t, block);
    let x1 = x_block(t1, block);
    let x2 = x_block(t2, block);
    let x3 = x_block(t3, block);
    var row = first + lane;
    for (var i = 0u; row < end; i++) {
      let ws = w_block(row, block);
      acc[i] += vec4<f32>(dot_block(ws, x0), dot_block(ws, x1), dot_block(ws, x2), dot_block(ws, x3));
      row += 8u;
    }
  }
  let stored = min(4u + step.reserved0, count - t);
  var row = first + lane;
  for (var i = 0u; row < end; i++) {
    var sums = acc[i];
    for (var j = 0u; j < stored; j++) {
      finish(t + j, row, sums.x);
      sums = sums.yzwx;
    }
    row += 8u;
  }
  if (end == N && lane < stored) {
    zero_tail(t + lane);
  }
}
