// IQ4_XS rows, w = (d * sc) * value[q] (src/formats/iq4_xs.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: IQ4_XS_GROUP, IQ4_XS_SCALES, IQ4_XS_SUPERS. Parts: block32, weight/iq4.

fn iq4_xs_scale(at: u32, block: u32) -> f32 {
  let d = bitcast<f32>(w[at + IQ4_XS_SUPERS + (block >> 5u) * 8u][(block >> 3u) & 3u]);
  let four = w[at + IQ4_XS_SCALES + (block >> 4u) * 8u][(block >> 2u) & 3u];
  return d * f32(i32(four << (24u - (block & 3u) * 8u)) >> 24u);
}

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * IQ4_XS_GROUP + (row & 7u);
  return iq4_block(w[at + block * 8u], iq4_xs_scale(at, block));
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * IQ4_XS_GROUP + (row & 7u);
  return iq4_codes(w[at + block * 8u], iq4_xs_scale(at, block));
}
