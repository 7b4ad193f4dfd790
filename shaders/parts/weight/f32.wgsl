// F32 rows, four weights to a unit (src/formats/float.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`. Consts: F32_GROUP. Parts: block32.

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * F32_GROUP + block * 64u + (row & 7u);
  return Block32(
    bitcast<vec4<f32>>(w[at]),
    bitcast<vec4<f32>>(w[at + 8u]),
    bitcast<vec4<f32>>(w[at + 16u]),
    bitcast<vec4<f32>>(w[at + 24u]),
    bitcast<vec4<f32>>(w[at + 32u]),
    bitcast<vec4<f32>>(w[at + 40u]),
    bitcast<vec4<f32>>(w[at + 48u]),
    bitcast<vec4<f32>>(w[at + 56u]),
  );
}
