// IQ2_XXS rows, w = (d * (0.5 + sc) * 0.25) * ±grid[q] (src/formats/iq2_xxs.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: IQ2_XXS_START, IQ2_XXS_GROUP, IQ2_XXS_SCALES, IQ2_XXS_SUPERS. Parts: block32, weight/grid.

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = IQ2_XXS_START + (row >> 3u) * IQ2_XXS_GROUP + (row & 7u);
  let super_block = block >> 3u;
  let unit = w[at + (block >> 1u) * 8u];
  let q = select(unit.xy, unit.zw, (block & 1u) != 0u);
  let scale = (w[at + IQ2_XXS_SCALES + (super_block >> 2u) * 8u][super_block & 3u] >> ((block & 7u) * 4u)) & 15u;
  let pair = w[at + IQ2_XXS_SUPERS + (super_block >> 3u) * 8u][(super_block & 7u) >> 1u];
  let step = f16_value(pair >> ((super_block & 1u) * 16u)) * fma(f32(scale), 0.25, 0.125);
  return grid_codes(grid_bytes(q.x), q.y, vec2<f32>(step));
}

fn decode32(row: u32, block: u32) -> Block32 {
  return decode_codes(codes32(row, block));
}
