// Q5_K rows, w = (d * sc) * q - (dmin * m) (src/formats/q5_k.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: Q5_K_GROUP, Q5_K_BITS, Q5_K_SCALES, Q5_K_SUPERS. Parts: block32, weight/planes.

/// (d * sc, -(dmin * m)) of a block.
fn q5_k_scale(at: u32, block: u32) -> vec2<f32> {
  let pair = w[at + Q5_K_SUPERS + (block >> 5u) * 8u][(block >> 3u) & 3u];
  let scales = at + Q5_K_SCALES + (block & 0xfffffff8u);
  let word = (block >> 2u) & 1u;
  let shift = (block & 3u) * 8u;
  let scale = f16_value(pair) * f32((w[scales][word] >> shift) & 0xffu);
  let least = f16_value(pair >> 16u) * f32((w[scales][word + 2u] >> shift) & 0xffu);
  return vec2<f32>(scale, -least);
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * Q5_K_GROUP + (row & 7u);
  let bits = w[at + Q5_K_BITS + (block >> 2u) * 8u][block & 3u];
  let scale = q5_k_scale(at, block);
  return plane_fives(w[at + block * 8u], bits, scale.x, scale.y);
}

fn decode32(row: u32, block: u32) -> Block32 {
  return plane_decode(codes32(row, block));
}
