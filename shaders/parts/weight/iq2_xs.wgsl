// IQ2_XS rows, w = (d * (0.5 + sc) * 0.25) * ±grid[q], a scale for each 16 weights (src/formats/iq2_xs.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: IQ2_XS_START, IQ2_XS_GROUP, IQ2_XS_SUPERS. Parts: block32, weight/grid.

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = IQ2_XS_START + (row >> 3u) * IQ2_XS_GROUP + (row & 7u);
  let unit = w[at + (block >> 1u) * 8u];
  let q = select(unit.xy, unit.zw, (block & 1u) != 0u);
  let meta_unit = w[at + IQ2_XS_SUPERS + (block & 0xfffffff8u)];
  let high = meta_unit.x >> ((block & 7u) * 4u);
  let ninth = (vec4<u32>(high) << vec4<u32>(8u, 7u, 6u, 5u)) & vec4<u32>(256u);
  let scales = select(meta_unit.y, meta_unit.z, (block & 4u) != 0u) >> ((block & 3u) * 8u);
  let sc = vec2<f32>(vec2<u32>(scales, scales >> 4u) & vec2<u32>(15u));
  let step = bitcast<f32>(meta_unit.w) * fma(sc, vec2<f32>(0.25), vec2<f32>(0.125));
  return grid_codes(grid_bytes(q.x) | ninth, q.y, step);
}

fn decode32(row: u32, block: u32) -> Block32 {
  return decode_codes(codes32(row, block));
}
