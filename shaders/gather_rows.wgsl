// y[i] = x[source of output row i].
// x [rows, STRIDE], y [output rows, STRIDE] in vec4.
// Grid: (ceil(STRIDE / WG), output rows), one thread per vec4. Workgroup memory: none.
// Consts: WG, STRIDE (vec4 per row). Parts: none.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  let col = wg.x * WG + lane;
  if (row >= step.output_rows || col >= STRIDE) {
    return;
  }
  y[row * STRIDE + col] = x[step.row[row].source * STRIDE + col];
}
