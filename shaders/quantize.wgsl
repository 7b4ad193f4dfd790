// Activations as signed bytes with a scale for each 32: scale = max|x| / 127, q = round(x / scale).
// x [rows, STRIDE] in vec4; q, scales, grid and workgroup memory as in parts/rows. Consts: STRIDE. Parts: rows, codes, keep.

fn made(row: u32, col: u32) -> vec4<f32> {
  return vec4<f32>(x[row * STRIDE + col]);
}
