// Q2_K rows, w = (d * sc) * q - (dmin * m), a scale and a minimum for each 16 weights (src/formats/q2_k.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scales.
// Consts: Q2_K_GROUP, Q2_K_SCALES, Q2_K_SUPERS. Parts: block32, weight/planes.

struct Q2KScales {
  step: vec2<f32>,
  offset: vec2<f32>,
}

fn q2_k_scales(at: u32, block: u32) -> Q2KScales {
  let supers = w[at + Q2_K_SUPERS + (block >> 5u) * 8u][(block >> 3u) & 3u];
  let pair = w[at + Q2_K_SCALES + (block & 0xfffffff8u)][(block & 7u) >> 1u] >> ((block & 1u) * 16u);
  let scales = vec2<f32>(vec2<u32>(pair, pair >> 8u) & vec2<u32>(15u));
  let least = vec2<f32>(vec2<u32>(pair >> 4u, pair >> 12u) & vec2<u32>(15u));
  return Q2KScales(f16_value(supers) * scales, -f16_value(supers >> 16u) * least);
}

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * Q2_K_GROUP + (row & 7u);
  let scales = q2_k_scales(at, block);
  return plane_pairs32(plane_pair_words(w[at + (block >> 1u) * 8u], block), scales.step, scales.offset);
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * Q2_K_GROUP + (row & 7u);
  let scales = q2_k_scales(at, block);
  let pairs = plane_pair_words(w[at + (block >> 1u) * 8u], block);
  return Codes32(plane_pairs(pairs.x), plane_pairs(pairs.y), scales.step, scales.offset);
}
