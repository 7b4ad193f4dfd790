// IQ2_S rows, w = (d * (0.5 + sc) * 0.25) * ±grid[q], a scale for each 16 weights (src/formats/iq2_s.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: IQ2_S_START, IQ2_S_GROUP, IQ2_S_SCALES, IQ2_S_SUPERS. Parts: block32, weight/grid.

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = IQ2_S_START + (row >> 3u) * IQ2_S_GROUP + (row & 7u);
  let unit = w[at + (block >> 1u) * 8u];
  let q = select(unit.xy, unit.zw, (block & 1u) != 0u);
  let meta_unit = w[at + IQ2_S_SCALES + (block & 0xfffffff8u)];
  let fields = select(meta_unit.xz, meta_unit.yw, (block & 4u) != 0u) >> vec2<u32>((block & 3u) * 8u);
  let high = (vec4<u32>(fields.x) << vec4<u32>(8u, 6u, 4u, 2u)) & vec4<u32>(768u);
  let sc = vec2<f32>(vec2<u32>(fields.y, fields.y >> 4u) & vec2<u32>(15u));
  let d = bitcast<f32>(w[at + IQ2_S_SUPERS + (block >> 5u) * 8u][(block >> 3u) & 3u]);
  return grid_codes(grid_bytes(q.x) | high, q.y, d * fma(sc, vec2<f32>(0.25), vec2<f32>(0.125)));
}

fn decode32(row: u32, block: u32) -> Block32 {
  return decode_codes(codes32(row, block));
}
