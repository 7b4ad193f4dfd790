// What a thread of a CPU driver does with the outputs of its four queries (parts/attend): stores them.
// put_queries(row, head, count, share): queries `row` to `row + count - 1` of a head, each times its share.
// Bindings: y array<vec4<act_t>> [rows, STRIDE]. Consts: HEADS, D4, STRIDE (vec4 per row). Parts: attend.

fn put_queries(row: u32, head: u32, count: u32, share: vec4<f32>) {
  attend_each(row * STRIDE + head * D4, STRIDE, count, share);
  if (head == HEADS - 1) {
    for (var r = row; r < row + count; r++) {
      for (var i = HEADS * D4; i < STRIDE; i++) {
        y[r * STRIDE + i] = vec4<act_t>();
      }
    }
  }
}

fn attend_write(at: u32, value: vec4<f32>) {
  y[at] = vec4<act_t>(value);
}
