// y = a + b, the residual sum.
// a, b, y [rows, STRIDE] in vec4; the padding of a and b is zero, so y's is.
// Grid: (ceil(STRIDE / WG), rows), one thread per vec4. Workgroup memory: none.
// Consts: WG, STRIDE (vec4 per row). Parts: none.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  let col = wg.x * WG + lane;
  if (row >= step.rows || col >= STRIDE) {
    return;
  }
  let at = row * STRIDE + col;
  y[at] = vec4<act_t>(vec4<f32>(a[at]) + vec4<f32>(b[at]));
}
