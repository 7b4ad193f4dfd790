// TQ2_0 rows, w = d * (q - 1) (src/formats/tq2_0.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: TQ2_0_GROUP, TQ2_0_SCALES. Parts: block32, weight/planes.

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * TQ2_0_GROUP + (row & 7u);
  let d = vec2<f32>(plane_half(at + TQ2_0_SCALES, block >> 3u));
  return plane_pairs32(plane_pair_words(w[at + (block >> 1u) * 8u], block), d, -d);
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * TQ2_0_GROUP + (row & 7u);
  let d = vec2<f32>(plane_half(at + TQ2_0_SCALES, block >> 3u));
  let pairs = plane_pair_words(w[at + (block >> 1u) * 8u], block);
  return Codes32(plane_pairs(pairs.x), plane_pairs(pairs.y), d, -d);
}
