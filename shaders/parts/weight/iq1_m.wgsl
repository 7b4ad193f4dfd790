// IQ1_M rows, w = (d * (1 + 2 sc)) * (grid[q] ± 1/8), a scale for each 16 weights (src/formats/iq1_m.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: IQ1_M_START, IQ1_M_GROUP, IQ1_M_HIGH, IQ1_M_SCALES. Parts: block32, weight/grid, weight/ternary_grid.

fn iq1_m_fields(row: u32, block: u32) -> Ternary {
  let at = IQ1_M_START + (row >> 3u) * IQ1_M_GROUP + (row & 7u);
  let low = w[at + (block >> 2u) * 8u][block & 3u];
  let field = w[at + IQ1_M_HIGH + (block & 0xfffffff8u)][(block >> 1u) & 3u] >> ((block & 1u) * 16u);
  let unit = w[at + IQ1_M_SCALES + (block >> 4u) * 8u];
  let words = select(unit.xy, unit.zw, (block & 8u) != 0u);
  let six = select(words.x, words.y, (block & 4u) != 0u) >> ((block & 3u) * 6u);
  let d = f16_value((words.x >> 24u) | ((words.y >> 24u) << 8u));
  let nibbles = vec4<u32>(field) >> vec4<u32>(0u, 4u, 8u, 12u);
  let high = (nibbles & vec4<u32>(7u)) << vec4<u32>(8u);
  let down = (nibbles & vec4<u32>(8u)) >> vec4<u32>(3u, 2u, 1u, 0u);
  let step = d * vec2<f32>((vec2<u32>(six << 1u, six >> 2u) & vec2<u32>(14u)) + vec2<u32>(1u));
  return Ternary(grid_bytes(low) | high, step, down.x | down.y | down.z | down.w);
}

fn decode32(row: u32, block: u32) -> Block32 {
  return ternary_block(iq1_m_fields(row, block));
}

fn codes32(row: u32, block: u32) -> Codes32 {
  return ternary_codes(iq1_m_fields(row, block));
}
