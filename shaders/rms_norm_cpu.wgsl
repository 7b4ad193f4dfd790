// y = x / sqrt(mean(x^2) + EPS) * w over each group of a row, for CPU drivers.
// x, y [rows, STRIDE], w [WIDTH] in vec4; a row holds GROUPS groups of WIDTH vec4, then padding.
// Grid: (ceil(rows * GROUPS * LANES / WG)), LANES threads per group: each sums the whole group (lanes run in lockstep) and
// writes its share. Workgroup memory: none, and no barrier.
// Consts: WG, LANES, STRIDE, WIDTH, GROUPS, COLS (elements of a group, f32), EPS, OVER_OUTPUT (rows are output rows).
// Parts: none.
// Paper: arXiv:1910.07467.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let item = (wg.x * WG + lane) / LANES;
  let row = item / GROUPS;
  let group = item % GROUPS;
  let share = lane % LANES;
  if (row >= select(step.rows, step.output_rows, OVER_OUTPUT)) {
    return;
  }
  let base = row * STRIDE + group * WIDTH;
  var sum = vec4<f32>();
  for (var i = 0u; i < WIDTH; i++) {
    let v = vec4<f32>(x[base + i]);
    sum += v * v;
  }
  let scale = inverseSqrt(dot(sum, vec4<f32>(1.0)) / COLS + EPS);
  for (var i = share; i < WIDTH; i += LANES) {
    y[base + i] = vec4<act_t>(vec4<f32>(x[base + i]) * scale * w[i]);
  }
  if (group == GROUPS - 1) {
    for (var i = GROUPS * WIDTH + share; i < STRIDE; i += LANES) {
      y[row * STRIDE + i] = vec4<act_t>();
    }
  }
}
