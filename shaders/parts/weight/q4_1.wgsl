// Q4_1 rows, w = d * q + m (src/formats/q4_1.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: Q4_1_GROUP, Q4_1_SCALES. Parts: block32.

/// d in the low, m in the high half.
fn q4_1_scales(at: u32, block: u32) -> u32 {
  return w[at + Q4_1_SCALES + (block >> 2u) * 8u][block & 3u];
}

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * Q4_1_GROUP + (row & 7u);
  let pair = q4_1_scales(at, block);
  return nibbles32(w[at + block * 8u], f16_value(pair), f16_value(pair >> 16u));
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * Q4_1_GROUP + (row & 7u);
  let pair = q4_1_scales(at, block);
  return nibble_codes(w[at + block * 8u], f16_value(pair), f16_value(pair >> 16u));
}
