// y = f(gate) * up with f from parts/activation. y [rows, STRIDE] in vec4; f(0) = 0, so padding stays zero.
// Grid and workgroup memory: as in parts/rows. Consts: STRIDE (vec4 per row). Parts: rows, activation, gated.
// Paper: arXiv:2002.05202.

fn made(row: u32, col: u32) -> vec4<f32> {
  return activation(gate_four(row, col)) * up_four(row, col);
}
