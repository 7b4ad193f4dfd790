// What lanes do with the vec4 of a row that they made: leave them as codes. Eight neighbouring lanes have a block.
// put_four(row, col, values, lane): vec4 `col` of a row, none from STRIDE on; all lanes of a workgroup call it, in uniform control
// flow, those of a block with neighbouring columns. close_row(row, lane): once for each row, by a workgroup; zeroes the padding of its scales.
// Bindings: codes array<u32> [rows, STRIDE], scales array<u32> (bits of f32) [rows, SCALES_STRIDE].
// Workgroup memory: WG words, two barriers for each call.
// Consts: WG (a multiple of 8), STRIDE (vec4 per row), SCALES_STRIDE. Parts: codes/bytes, keep.

var<workgroup> lane_most: array<u32, WG>;

fn put_four(row: u32, col: u32, values: vec4<f32>, lane: u32) {
  workgroupBarrier();
  lane_most[lane] = most_bits(values);
  workgroupBarrier();
  let first = lane & ~7u;
  var most = 0u;
  for (var i = 0u; i < 8u; i++) {
    most = max(most, lane_most[first + i]);
  }
  if (col < STRIDE) {
    keep_four(row * STRIDE + col, values);
    codes[row * STRIDE + col] = code_word(values, code_factor(most));
    if (col % 8u == 0u) {
      scales[row * SCALES_STRIDE + col / 8u] = scale_bits(most);
    }
  }
}

fn close_row(row: u32, lane: u32) {
  for (var i = STRIDE / 8u + lane; i < SCALES_STRIDE; i += WG) {
    scales[row * SCALES_STRIDE + i] = 0u;
  }
}
