// The entry point of kernels that make each vec4 of a row by itself, `made(row, col) -> vec4<f32>`, and leave it as codes, for
// CPU drivers. Grid: (ceil(SCALES_STRIDE / WG), rows), one thread per block. Workgroup memory: none, and no barrier.
// Consts: WG, STRIDE (vec4 per row), SCALES_STRIDE, OVER_OUTPUT_ROWS. Parts: codes/thread, codes/bytes, keep.

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let block = id.x;
  let row = id.y;
  if (row >= select(step.rows, step.output_rows, OVER_OUTPUT_ROWS) || block >= SCALES_STRIDE) {
    return;
  }
  if (block * 8u >= STRIDE) {
    scales[row * SCALES_STRIDE + block] = 0u;
    return;
  }
  var values: array<vec4<f32>, 8>;
  for (var i = 0u; i < 8u + step.reserved0; i++) {
    values[i] = made(row, block * 8u + i);
  }
  put_block(row, block, &values);
}
