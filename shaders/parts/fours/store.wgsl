// What lanes do with the vec4 of a row that they made: store them.
// put_four(row, col, values, lane): vec4 `col` of a row, none from STRIDE on. close_row(row, lane): once for each row.
// Bindings: y array<vec4<act_t>> [rows, STRIDE]. Consts: STRIDE (vec4 per row).

fn put_four(row: u32, col: u32, values: vec4<f32>, lane: u32) {
  if (col < STRIDE) {
    y[row * STRIDE + col] = vec4<act_t>(values);
  }
}

fn close_row(row: u32, lane: u32) {}
