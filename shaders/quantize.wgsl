// Activations as signed bytes with a scale for each 32: scale = max|x| / 127, q = round(x / scale).
// x [rows, 8 * BLOCKS] in vec4, q [rows, 2 * BLOCKS] in vec4<u32>, scales [rows, SCALES_STRIDE], the padding zero.
// Grid: (ceil(SCALES_STRIDE / WG), rows), one thread per block. Workgroup memory: none.
// Consts: WG, BLOCKS, SCALES_STRIDE, OVER_OUTPUT_ROWS. Parts: none.

/// Four codes, in [-127, 127], as bytes.
fn codes(values: vec4<f32>, inverse: f32) -> u32 {
  let q = vec4<u32>(vec4<i32>(round(values * inverse))) & vec4<u32>(0xffu);
  return q.x | (q.y << 8u) | (q.z << 16u) | (q.w << 24u);
}

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let block = id.x;
  let t = id.y;
  if (t >= select(step.rows, step.output_rows, OVER_OUTPUT_ROWS) || block >= SCALES_STRIDE) {
    return;
  }
  if (block >= BLOCKS) {
    scales[t * SCALES_STRIDE + block] = 0.0;
    return;
  }
  let at = (t * BLOCKS + block) * 8u;
  let v0 = vec4<f32>(x[at]);
  let v1 = vec4<f32>(x[at + 1u]);
  let v2 = vec4<f32>(x[at + 2u]);
  let v3 = vec4<f32>(x[at + 3u]);
  let v4 = vec4<f32>(x[at + 4u]);
  let v5 = vec4<f32>(x[at + 5u]);
  let v6 = vec4<f32>(x[at + 6u]);
  let v7 = vec4<f32>(x[at + 7u]);
  let low = max(max(abs(v0), abs(v1)), max(abs(v2), abs(v3)));
  let most4 = max(low, max(max(abs(v4), abs(v5)), max(abs(v6), abs(v7))));
  let most = max(max(most4.x, most4.y), max(most4.z, most4.w));
  // Below this the division would overflow; such a block is zero next to any other.
  let inverse = select(0.0, 127.0 / most, most > 1e-30);
  let to = (t * BLOCKS + block) * 2u;
  q[to] = vec4<u32>(codes(v0, inverse), codes(v1, inverse), codes(v2, inverse), codes(v3, inverse));
  q[to + 1u] = vec4<u32>(codes(v4, inverse), codes(v5, inverse), codes(v6, inverse), codes(v7, inverse));
  scales[t * SCALES_STRIDE + block] = most / 127.0;
}
