// NVFP4 rows, w = scale * value[q], a scale for each 16 weights (src/formats/nvfp4.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: NVFP4_GROUP, NVFP4_SCALES. Parts: block32, weight/fp4.

/// Half the E4M3 numbers in the low seven bits of two bytes. The bias of the exponent, 7, becomes 127 less the halving; where
/// the exponent is 0 there is no leading one, so it is added and taken off again.
fn nvfp4_scales(at: u32, block: u32) -> vec2<f32> {
  let pair = w[at + NVFP4_SCALES + (block & 0xfffffff8u)][(block & 7u) >> 1u] >> ((block & 1u) * 16u);
  let magnitude = vec2<u32>(pair << 20u, pair << 12u) & vec2<u32>(0x07f00000u);
  let normal = bitcast<vec2<f32>>(magnitude + vec2<u32>(0x3b800000u));
  let subnormal = bitcast<vec2<f32>>(magnitude + vec2<u32>(0x3c000000u)) - vec2<f32>(0.0078125);
  return select(normal, subnormal, magnitude < vec2<u32>(0x00800000u));
}

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * NVFP4_GROUP + (row & 7u);
  return fp4_block(w[at + block * 8u], nvfp4_scales(at, block));
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * NVFP4_GROUP + (row & 7u);
  return fp4_codes(w[at + block * 8u], nvfp4_scales(at, block));
}
