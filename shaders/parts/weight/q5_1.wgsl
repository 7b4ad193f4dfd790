// Q5_1 rows, w = d * q + m (src/formats/q5_1.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: Q5_1_GROUP, Q5_1_BITS, Q5_1_SCALES. Parts: block32, weight/planes.

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * Q5_1_GROUP + (row & 7u);
  let bits = w[at + Q5_1_BITS + (block >> 2u) * 8u][block & 3u];
  let pair = w[at + Q5_1_SCALES + (block >> 2u) * 8u][block & 3u];
  return plane_fives(w[at + block * 8u], bits, f16_value(pair), f16_value(pair >> 16u));
}

fn decode32(row: u32, block: u32) -> Block32 {
  return plane_decode(codes32(row, block));
}
