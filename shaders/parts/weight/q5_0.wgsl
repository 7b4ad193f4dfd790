// Q5_0 rows, w = d * (q - 16) (src/formats/q5_0.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: Q5_0_GROUP, Q5_0_BITS, Q5_0_SCALES. Parts: block32, weight/planes.

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * Q5_0_GROUP + (row & 7u);
  let bits = w[at + Q5_0_BITS + (block >> 2u) * 8u][block & 3u];
  let d = plane_half(at + Q5_0_SCALES, block);
  return plane_fives(w[at + block * 8u], bits, d, -16.0 * d);
}

fn decode32(row: u32, block: u32) -> Block32 {
  return plane_decode(codes32(row, block));
}
