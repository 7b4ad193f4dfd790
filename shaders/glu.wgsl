// y = f(gate) * up with f = silu, x / (1 + e^-x), or gelu in its tanh form.
// gate, up, y [rows, STRIDE] in vec4; f(0) = 0, so padding stays zero.
// Grid and workgroup memory: as in parts/rows. Consts: STRIDE (vec4 per row), GELU. Parts: rows.
// Paper: arXiv:2002.05202.

// The clamps keep exp and tanh away from overflow, which not every driver turns into the right limit.
fn silu(v: vec4<f32>) -> vec4<f32> {
  return v / (1.0 + exp(-max(v, vec4<f32>(-80.0))));
}

fn gelu(v: vec4<f32>) -> vec4<f32> {
  let u = 0.7978845608 * (v + 0.044715 * v * v * v);
  return 0.5 * v * (1.0 + tanh(clamp(u, vec4<f32>(-15.0), vec4<f32>(15.0))));
}

fn made(row: u32, col: u32) -> vec4<f32> {
  let v = vec4<f32>(gate[row * STRIDE + col]);
  let factor = vec4<f32>(up[row * STRIDE + col]);
  if (GELU) {
    return gelu(v) * factor;
  }
  return silu(v) * factor;
}
