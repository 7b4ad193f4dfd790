// Codes of a block that one thread of a CPU driver has whole.
// put_block(row, block, values): stores its codes and scale.
// Bindings: codes array<u32> [rows, STRIDE], scales array<u32> (bits of f32) [rows, SCALES_STRIDE].
// Consts: STRIDE (vec4 per row), SCALES_STRIDE. Parts: codes/bytes, keep.

fn put_block(row: u32, block: u32, values: ptr<function, array<vec4<f32>, 8>>) {
  // A bound that drivers do not know keeps the loops rolled.
  let fours = 8u + step.reserved0;
  var most = 0u;
  for (var i = 0u; i < fours; i++) {
    most = max(most, most_bits((*values)[i]));
  }
  let factor = code_factor(most);
  for (var i = 0u; i < fours; i++) {
    let at = row * STRIDE + block * 8u + i;
    keep_four(at, (*values)[i]);
    codes[at] = code_word((*values)[i], factor);
  }
  scales[row * SCALES_STRIDE + block] = scale_bits(most);
}
