// Q6_K rows, w = (d * sc) * (q - 32), a scale for each 16 weights (src/formats/q6_k.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scales.
// Consts: Q6_K_GROUP, Q6_K_HIGH, Q6_K_SCALES, Q6_K_SUPERS. Parts: block32, weight/planes.

/// Low nibbles of four bytes under the bit pairs that `pairs` has in bits 4 and 5 of its bytes.
fn q6_k_codes(low: u32, pairs: u32, step: vec4<f32>, offset: vec4<f32>) -> vec4<f32> {
  let word = (low & 0x0f0f0f0fu) | (pairs & 0x30303030u);
  let codes = vec4<i32>(vec4<u32>(word) & vec4<u32>(0x0000003fu, 0x00003f00u, 0x003f0000u, 0x3f000000u));
  return fma(vec4<f32>(codes), step, offset);
}

/// d * sc of both halves of a block.
fn q6_k_scales(at: u32, block: u32) -> vec2<f32> {
  let d = bitcast<f32>(w[at + Q6_K_SUPERS + (block >> 5u) * 8u][(block >> 3u) & 3u]);
  let pair = w[at + Q6_K_SCALES + (block & 0xfffffff8u)][(block & 7u) >> 1u] >> ((block & 1u) * 16u);
  return d * plane_signed(pair);
}

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * Q6_K_GROUP + (row & 7u);
  let scales = q6_k_scales(at, block);
  let step0 = scales.x * BYTE_STEPS;
  let step1 = scales.y * BYTE_STEPS;
  let offset0 = vec4<f32>(-32.0 * scales.x);
  let offset1 = vec4<f32>(-32.0 * scales.y);
  let pairs = plane_pair_words(w[at + Q6_K_HIGH + (block >> 1u) * 8u], block);
  let h0 = pairs.x;
  let h1 = pairs.y;
  let q = w[at + block * 8u];
  return Block32(
    q6_k_codes(q.x, h0 << 4u, step0, offset0),
    q6_k_codes(q.x >> 4u, h0 << 2u, step0, offset0),
    q6_k_codes(q.y, h0, step0, offset0),
    q6_k_codes(q.y >> 4u, h0 >> 2u, step0, offset0),
    q6_k_codes(q.z, h1 << 4u, step1, offset1),
    q6_k_codes(q.z >> 4u, h1 << 2u, step1, offset1),
    q6_k_codes(q.w, h1, step1, offset1),
    q6_k_codes(q.w >> 4u, h1 >> 2u, step1, offset1),
  );
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * Q6_K_GROUP + (row & 7u);
  let pairs = plane_pair_words(w[at + Q6_K_HIGH + (block >> 1u) * 8u], block);
  let scales = q6_k_scales(at, block);
  let low = nibble_codes(w[at + block * 8u], 0.0, 0.0);
  let a = low.a | (plane_pairs(pairs.x) << vec4<u32>(4u));
  let b = low.b | (plane_pairs(pairs.y) << vec4<u32>(4u));
  return Codes32(a, b, scales, -32.0 * scales);
}
