// Q4_0 rows, w = d * (q - 8) (src/formats/q4_0.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: Q4_0_GROUP, Q4_0_SCALES. Parts: block32.

fn q4_0_scale(at: u32, block: u32) -> f32 {
  let pair = w[at + Q4_0_SCALES + (block & 0xfffffff8u)][(block & 7u) >> 1u];
  return f16_value(pair >> ((block & 1u) * 16u));
}

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * Q4_0_GROUP + (row & 7u);
  let d = q4_0_scale(at, block);
  return nibbles32(w[at + block * 8u], d, -8.0 * d);
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * Q4_0_GROUP + (row & 7u);
  let d = q4_0_scale(at, block);
  return nibble_codes(w[at + block * 8u], d, -8.0 * d);
}
