// y = f(gate) * up with f = silu, x / (1 + e^-x), or gelu in its tanh form.
// gate, up, y [rows, STRIDE] in vec4; f(0) = 0, so padding stays zero.
// Grid: (ceil(STRIDE / WG), rows), one thread per vec4. Workgroup memory: none.
// Consts: WG, STRIDE (vec4 per row), GELU. Parts: none.
// Paper: arXiv:2002.05202.

// The clamps keep exp and tanh away from overflow, which not every driver turns into the right limit.
fn silu(v: vec4<f32>) -> vec4<f32> {
  return v / (1.0 + exp(-max(v, vec4<f32>(-80.0))));
}

fn gelu(v: vec4<f32>) -> vec4<f32> {
  let u = 0.7978845608 * (v + 0.044715 * v * v * v);
  return 0.5 * v * (1.0 + tanh(clamp(u, vec4<f32>(-15.0), vec4<f32>(15.0))));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  let col = wg.x * WG + lane;
  if (row >= step.rows || col >= STRIDE) {
    return;
  }
  let at = row * STRIDE + col;
  var v = vec4<f32>(gate[at]);
  if (GELU) {
    v = gelu(v);
  } else {
    v = silu(v);
  }
  y[at] = vec4<act_t>(v * vec4<f32>(up[at]));
}
