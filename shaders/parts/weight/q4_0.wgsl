// Q4_0 rows, w = d * (q - 8) (src/formats/q4_0.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`. Consts: Q4_0_GROUP, Q4_0_SCALES. Parts: weight/block.

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * Q4_0_GROUP + (row & 7u);
  let pair = w[at + Q4_0_SCALES + (block & 0xfffffff8u)][(block & 7u) >> 1u];
  let d = f16_value(pair >> ((block & 1u) * 16u));
  let step = d * BYTE_STEPS;
  let offset = vec4<f32>(-8.0 * d);
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
