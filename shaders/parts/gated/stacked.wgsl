// The halves of a gated linear unit in one value, the gate first.
// gate_four(row, col), up_four(row, col): vec4 `col` of a row; zero beyond COLS, where the gate's row goes on with other numbers.
// Bindings: halves array<vec4<act_t>> [rows, HALVES_STRIDE]. Consts: COLS (elements of a half), HALVES_STRIDE, UP_START (vec4).

fn gated_inside(col: u32, value: vec4<f32>) -> vec4<f32> {
  return select(vec4<f32>(), value, col * 4u + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(COLS));
}

fn gate_four(row: u32, col: u32) -> vec4<f32> {
  return gated_inside(col, vec4<f32>(halves[row * HALVES_STRIDE + col]));
}

fn up_four(row: u32, col: u32) -> vec4<f32> {
  // Padding of a half may lie beyond the row's.
  return gated_inside(col, vec4<f32>(halves[row * HALVES_STRIDE + min(UP_START + col, HALVES_STRIDE - 1u)]));
}
