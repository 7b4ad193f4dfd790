// IQ3_XXS rows, w = (d * (0.5 + sc) * 0.5) * ±grid[q] (src/formats/iq3_xxs.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: IQ3_XXS_START, IQ3_XXS_GROUP, IQ3_XXS_SIGNS, IQ3_XXS_SCALES, IQ3_XXS_SUPERS. Parts: block32, weight/grid.

/// 16 values from 4 to 60 in steps of 8, and 62: the codebook holds a quarter of them, rounded down.
fn iq3_xxs_values(points: vec4<u32>) -> vec4<u32> {
  let codes = vec4<u32>(grid_four(points.x), grid_four(points.y), grid_four(points.z), grid_four(points.w));
  let last = ((codes + vec4<u32>(0x01010101u)) >> vec4<u32>(3u)) & vec4<u32>(0x02020202u);
  return (codes << vec4<u32>(2u)) + last;
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = IQ3_XXS_START + (row >> 3u) * IQ3_XXS_GROUP + (row & 7u);
  let super_block = block >> 3u;
  let unit = w[at + (block >> 1u) * 8u];
  let q = select(unit.xy, unit.zw, (block & 1u) != 0u);
  let signs = w[at + IQ3_XXS_SIGNS + (block >> 2u) * 8u][block & 3u];
  let scale = (w[at + IQ3_XXS_SCALES + (super_block >> 2u) * 8u][super_block & 3u] >> ((block & 7u) * 4u)) & 15u;
  let pair = w[at + IQ3_XXS_SUPERS + (super_block >> 3u) * 8u][(super_block & 7u) >> 1u];
  let step = f16_value(pair >> ((super_block & 1u) * 16u)) * fma(f32(scale), 0.5, 0.25);
  let a = grid_signed(iq3_xxs_values(grid_bytes(q.x)), signs);
  let b = grid_signed(iq3_xxs_values(grid_bytes(q.y)), signs >> 4u);
  return Codes32(a, b, vec2<f32>(step), vec2<f32>(0.0));
}

fn decode32(row: u32, block: u32) -> Block32 {
  return decode_codes(codes32(row, block));
}
