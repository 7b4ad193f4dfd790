// y = x / sqrt(mean(x^2) + EPS) * w over a row, as codes, for CPU drivers.
// x [rows, STRIDE], w [WIDTH] in vec4, WIDTH the vec4 of a row without its padding.
// Grid: (ceil(rows * LANES / WG)), LANES threads per row: each sums the whole row (lanes run in lockstep) and makes its share of
// the blocks. Workgroup memory: none, and no barrier.
// Consts: WG, LANES, STRIDE, WIDTH, COLS (elements of a row, f32), EPS, SCALES_STRIDE, OVER_OUTPUT (rows are output rows).
// Parts: codes/thread, codes/bytes, keep.
// Paper: arXiv:1910.07467.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = (wg.x * WG + lane) / LANES;
  let share = lane % LANES;
  if (row >= select(step.rows, step.output_rows, OVER_OUTPUT)) {
    return;
  }
  let base = row * STRIDE;
  var sum = vec4<f32>();
  for (var i = 0u; i < WIDTH; i++) {
    let v = vec4<f32>(x[base + i]);
    sum += v * v;
  }
  let scale = inverseSqrt(dot(sum, vec4<f32>(1.0)) / COLS + EPS);
  var values: array<vec4<f32>, 8>;
  for (var block = share; block < STRIDE / 8u; block += LANES) {
    for (var i = 0u; i < 8u + step.reserved0; i++) {
      let col = block * 8u + i;
      // x's padding is zero, and w has as much as there is of the last vec4.
      values[i] = vec4<f32>(x[base + col]) * scale * w[min(col, WIDTH - 1u)];
    }
    put_block(row, block, &values);
  }
  for (var i = STRIDE / 8u + share; i < SCALES_STRIDE; i += LANES) {
    scales[row * SCALES_STRIDE + i] = 0u;
  }
}
