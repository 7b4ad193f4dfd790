// MXFP4 rows, w = 2^(e - 128) * value[q], all zero where e is 0 (src/formats/mxfp4.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: MXFP4_GROUP, MXFP4_SCALES. Parts: block32, weight/fp4.

fn mxfp4_scale(at: u32, block: u32) -> vec2<f32> {
  let four = w[at + MXFP4_SCALES + (block >> 4u) * 8u][(block >> 2u) & 3u];
  let e = (four >> ((block & 3u) * 8u)) & 0xffu;
  return vec2<f32>(bitcast<f32>((max(e, 1u) - 1u) << 23u));
}

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * MXFP4_GROUP + (row & 7u);
  return fp4_block(w[at + block * 8u], mxfp4_scale(at, block));
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * MXFP4_GROUP + (row & 7u);
  return fp4_codes(w[at + block * 8u], mxfp4_scale(at, block));
}
