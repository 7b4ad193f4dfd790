// y = x / sqrt(mean(x^2) + EPS) * w over each group of a row.
// x, y [rows, STRIDE], w [WIDTH] in vec4; a row holds GROUPS groups of WIDTH vec4, then padding.
// Grid: (GROUPS, rows), one workgroup per group. Workgroup memory: WG f32 (reduce).
// Consts: WG, STRIDE, WIDTH, GROUPS, COLS (elements of a group, f32), EPS. Parts: reduce.
// Paper: arXiv:1910.07467.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  if (row >= step.rows) {
    return;
  }
  let base = row * STRIDE + wg.x * WIDTH;
  var sum = 0.0;
  for (var i = lane; i < WIDTH; i += WG) {
    let v = vec4<f32>(x[base + i]);
    sum += dot(v, v);
  }
  let scale = inverseSqrt(reduce_add(sum, lane) / COLS + EPS);
  for (var i = lane; i < WIDTH; i += WG) {
    y[base + i] = vec4<act_t>(vec4<f32>(x[base + i]) * scale * w[i]);
  }
  if (wg.x == GROUPS - 1) {
    for (var i = GROUPS * WIDTH + lane; i < STRIDE; i += WG) {
      y[row * STRIDE + i] = vec4<act_t>();
    }
  }
}
