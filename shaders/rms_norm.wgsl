// y = x / sqrt(mean(x^2) + EPS) * w over each group of a row.
// x, y [rows, STRIDE], w [WIDTH] in vec4; a row holds GROUPS groups of WIDTH vec4, then padding.
// Grid: (GROUPS, rows), one workgroup per group. Workgroup memory: WG f32 (reduce), and that of parts/fours.
// Consts: WG, STRIDE, WIDTH, GROUPS, COLS (elements of a group, f32), EPS, OVER_OUTPUT (rows are output rows).
// Parts: reduce, fours.
// Paper: arXiv:1910.07467.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  if (row >= select(step.rows, step.output_rows, OVER_OUTPUT)) {
    return;
  }
  let base = row * STRIDE + wg.x * WIDTH;
  var sum = 0.0;
  for (var i = lane; i < WIDTH; i += WG) {
    let v = vec4<f32>(x[base + i]);
    sum += dot(v, v);
  }
  let scale = inverseSqrt(reduce_add(sum, lane) / COLS + EPS);
  // The last group goes on into the padding.
  let end = select(WIDTH, STRIDE - wg.x * WIDTH, wg.x == GROUPS - 1);
  for (var first = 0u; first < end; first += WG) {
    let i = first + lane;
    var values = vec4<f32>();
    if (i < WIDTH) {
      values = vec4<f32>(x[base + i]) * scale * w[i];
    }
    put_four(row, select(STRIDE, wg.x * WIDTH + i, i < end), values, lane);
  }
  if (wg.x == GROUPS - 1) {
    close_row(row, lane);
  }
}
