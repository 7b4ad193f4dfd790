// IQ3_S rows, w = (d * (1 + 2 sc)) * ±grid[q] (src/formats/iq3_s.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: IQ3_S_START, IQ3_S_GROUP, IQ3_S_SIGNS, IQ3_S_SUPERS. Parts: block32, weight/grid.

/// 16 values of the points whose low bits are the bytes of `low` and whose ninth are the low bits of `high`.
fn iq3_s_values(low: u32, high: u32) -> vec4<u32> {
  let ninth = (vec4<u32>(high) << vec4<u32>(8u, 7u, 6u, 5u)) & vec4<u32>(256u);
  let points = grid_bytes(low) | ninth;
  return vec4<u32>(grid_four(points.x), grid_four(points.y), grid_four(points.z), grid_four(points.w));
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = IQ3_S_START + (row >> 3u) * IQ3_S_GROUP + (row & 7u);
  let unit = w[at + (block >> 1u) * 8u];
  let q = select(unit.xy, unit.zw, (block & 1u) != 0u);
  let signs = w[at + IQ3_S_SIGNS + (block >> 2u) * 8u][block & 3u];
  let meta_unit = w[at + IQ3_S_SUPERS + (block & 0xfffffff8u)];
  let high = select(meta_unit.x, meta_unit.y, (block & 4u) != 0u) >> ((block & 3u) * 8u);
  let scale = (meta_unit.z >> ((block & 7u) * 4u)) & 15u;
  let step = bitcast<f32>(meta_unit.w) * f32(scale * 2u + 1u);
  let a = grid_signed(iq3_s_values(q.x, high), signs);
  let b = grid_signed(iq3_s_values(q.y, high >> 4u), signs >> 4u);
  return Codes32(a, b, vec2<f32>(step), vec2<f32>(0.0));
}

fn decode32(row: u32, block: u32) -> Block32 {
  return decode_codes(codes32(row, block));
}
