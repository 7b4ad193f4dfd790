// Q8_0 rows, w = d * q (src/formats/q8_0.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: Q8_0_GROUP, Q8_0_SCALES. Parts: block32.

fn q8_0_scale(at: u32, block: u32) -> f32 {
  let pair = w[at + Q8_0_SCALES + (block & 0xfffffff8u)][(block & 7u) >> 1u];
  return f16_value(pair >> ((block & 1u) * 16u));
}

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * Q8_0_GROUP + (row & 7u);
  return bytes32(w[at + block * 16u], w[at + block * 16u + 8u], q8_0_scale(at, block));
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * Q8_0_GROUP + (row & 7u);
  let d = q8_0_scale(at, block);
  return Codes32(w[at + block * 16u], w[at + block * 16u + 8u], vec2<f32>(d), vec2<f32>(0.0));
}
