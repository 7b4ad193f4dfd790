// y[i] = x[source of output row i].
// x [rows, STRIDE], y [output rows, STRIDE] in vec4; grid and workgroup memory as in parts/rows. Consts: STRIDE. Parts: rows.

fn made(row: u32, col: u32) -> vec4<f32> {
  return vec4<f32>(x[step.row[row].source * STRIDE + col]);
}
