// Q3_K rows, w = (d * sc) * (q - 4), a scale for each 16 weights (src/formats/q3_k.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scales.
// Consts: Q3_K_GROUP, Q3_K_BITS, Q3_K_SCALES, Q3_K_SUPERS. Parts: block32, weight/planes.

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * Q3_K_GROUP + (row & 7u);
  let d = plane_half(at + Q3_K_SUPERS, block >> 3u);
  let pair = w[at + Q3_K_SCALES + (block & 0xfffffff8u)][(block & 7u) >> 1u] >> ((block & 1u) * 16u);
  let step = d * plane_signed(pair);
  let pairs = plane_pair_words(w[at + (block >> 1u) * 8u], block);
  let bits = w[at + Q3_K_BITS + (block >> 2u) * 8u][block & 3u];
  let a = plane_pairs(pairs.x) | (plane_bits_a(bits) << vec4<u32>(2u));
  let b = plane_pairs(pairs.y) | (plane_bits_b(bits) << vec4<u32>(2u));
  return Codes32(a, b, step, -4.0 * step);
}

fn decode32(row: u32, block: u32) -> Block32 {
  return plane_decode(codes32(row, block));
}
