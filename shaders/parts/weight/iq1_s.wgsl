// IQ1_S rows, w = (d * (1 + 2 sc)) * (grid[q] ± 1/8) (src/formats/iq1_s.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: IQ1_S_START, IQ1_S_GROUP, IQ1_S_HIGH, IQ1_S_SUPERS. Parts: block32, weight/grid, weight/ternary_grid.

fn iq1_s_fields(row: u32, block: u32) -> Ternary {
  let at = IQ1_S_START + (row >> 3u) * IQ1_S_GROUP + (row & 7u);
  let low = w[at + (block >> 2u) * 8u][block & 3u];
  let field = (w[at + IQ1_S_HIGH + (block & 0xfffffff8u)][(block >> 1u) & 3u] >> ((block & 1u) * 16u)) & 0xffffu;
  let d = bitcast<f32>(w[at + IQ1_S_SUPERS + (block >> 5u) * 8u][(block >> 3u) & 3u]);
  let high = ((vec4<u32>(field) >> vec4<u32>(0u, 3u, 6u, 9u)) & vec4<u32>(7u)) << vec4<u32>(8u);
  let step = d * f32(((field >> 11u) & 14u) + 1u);
  return Ternary(grid_bytes(low) | high, vec2<f32>(step), (field >> 15u) * 15u);
}

fn decode32(row: u32, block: u32) -> Block32 {
  return ternary_block(iq1_s_fields(row, block));
}

fn codes32(row: u32, block: u32) -> Codes32 {
  return ternary_codes(iq1_s_fields(row, block));
}
