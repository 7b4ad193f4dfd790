// Stores a result column of a matrix product.
// finish(row, col, value): of one sum; finish_pair(row, col, sums): of two, as parts/gate makes one of them; both give what they made.
// zero_tail(row): once for each row, by whoever has the last column.
// Bindings: y array<y_t>. Consts: Y_STRIDE, OUT_START (elements), TAIL_START: where the padding to zero begins,
// Y_F16: y_t is f16. Parts: block32, gate, residual.

fn finish_pair(row: u32, col: u32, sums: vec2<f32>) -> f32 {
  let at = row * Y_STRIDE + OUT_START + col;
  let value = outcome(col, sums) + residual_of(at);
  y[at] = y_t(select(value, within_f16(value), Y_F16));
  return value;
}

fn finish(row: u32, col: u32, value: f32) -> f32 {
  return finish_pair(row, col, vec2<f32>(value, 0.0));
}

fn zero_tail(row: u32) {
  for (var col = TAIL_START; col < Y_STRIDE; col++) {
    y[row * Y_STRIDE + col] = y_t(0.0);
  }
}
