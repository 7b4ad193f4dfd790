// IQ4_NL rows, w = d * value[q] (src/formats/iq4_nl.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: IQ4_NL_GROUP, IQ4_NL_SCALES. Parts: block32, weight/iq4.

fn iq4_nl_scale(at: u32, block: u32) -> f32 {
  let pair = w[at + IQ4_NL_SCALES + (block & 0xfffffff8u)][(block & 7u) >> 1u];
  return f16_value(pair >> ((block & 1u) * 16u));
}

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * IQ4_NL_GROUP + (row & 7u);
  return iq4_block(w[at + block * 8u], iq4_nl_scale(at, block));
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * IQ4_NL_GROUP + (row & 7u);
  return iq4_codes(w[at + block * 8u], iq4_nl_scale(at, block));
}
