// The entry point of kernels that make each vec4 of a row by itself, `made(row, col) -> vec4<f32>`, zero for padding.
// Grid: (ceil(STRIDE / WG), rows), one thread per vec4. Workgroup memory: that of parts/fours.
// Consts: WG, STRIDE (vec4 per row), OVER_OUTPUT_ROWS. Parts: fours.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  if (row >= select(step.rows, step.output_rows, OVER_OUTPUT_ROWS)) {
    return;
  }
  let col = min(wg.x * WG + lane, STRIDE);
  var values = vec4<f32>();
  if (col < STRIDE) {
    values = made(row, col);
  }
  put_four(row, col, values, lane);
  if (wg.x == 0u) {
    close_row(row, lane);
  }
}
