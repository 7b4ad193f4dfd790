// The halves of a gated linear unit in two values.
// gate_four(row, col), up_four(row, col): vec4 `col` of a row, zero in the padding.
// Bindings: gate, up array<vec4<act_t>> [rows, STRIDE]. Consts: STRIDE (vec4 per row).

fn gate_four(row: u32, col: u32) -> vec4<f32> {
  return vec4<f32>(gate[row * STRIDE + col]);
}

fn up_four(row: u32, col: u32) -> vec4<f32> {
  return vec4<f32>(up[row * STRIDE + col]);
}
