// Stores a result column of a matrix product plus its bias.
// Bindings: y array<y_t>, bias array<f32>. Consts: Y_STRIDE, OUT_START (elements), TAIL_START: where the padding to zero begins,
// Y_F16: y_t is f16. Parts: block32.

fn finish(row: u32, col: u32, value: f32) {
  let sum = value + bias[col];
  y[row * Y_STRIDE + OUT_START + col] = y_t(select(sum, within_f16(sum), Y_F16));
}

fn zero_tail(row: u32) {
  for (var col = TAIL_START; col < Y_STRIDE; col++) {
    y[row * Y_STRIDE + col] = y_t(0.0);
  }
}
