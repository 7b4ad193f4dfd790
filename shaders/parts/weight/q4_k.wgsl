// Q4_K rows, w = (d * sc) * q - (dmin * m) (src/formats/q4_k.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`.
// Consts: Q4_K_GROUP, Q4_K_SCALES, Q4_K_SUPERS. Parts: weight/block.

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * Q4_K_GROUP + (row & 7u);
  let pair = w[at + Q4_K_SUPERS + (block >> 5u) * 8u][(block >> 3u) & 3u];
  let scales = at + Q4_K_SCALES + (block & 0xfffffff8u);
  let word = (block >> 2u) & 1u;
  let shift = (block & 3u) * 8u;
  let scale = f16_value(pair) * f32((w[scales][word] >> shift) & 0xffu);
  let least = f16_value(pair >> 16u) * f32((w[scales][word + 2u] >> shift) & 0xffu);
  let step = scale * BYTE_STEPS;
  let offset = vec4<f32>(-least);
  let q = w[at + block * 8u];
  return Block32(
    nibbles4(q.x, step, offset),
    nibbles4(q.x >> 4u, step, offset),
    nibbles4(q.y, step, offset),
    nibbles4(q.y >> 4u, step, offset),
    nibbles4(q.z, step, offset),
    nibbles4(q.z >> 4u, step, offset),
    nibbles4(q.w, step, offset),
    nibbles4(q.w >> 4u, step, offset),
  );
}
