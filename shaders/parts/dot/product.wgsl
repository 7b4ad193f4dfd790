// Products of decoded weights and activations in f32.
// w_block(row, block): 32 weights; dot_block: their product with the 32 activations of an x_block; x_unit: one load of those.
// Parts: block32 and a weight; another of dot brings x_block and x_four.

alias WBlock = Block32;
alias XBlock = Block32;
alias XUnit = vec4<f32>;
const X_UNITS: u32 = 8u;

fn x_unit(row: u32, block: u32, unit: u32) -> XUnit {
  return x_four(row, block * X_UNITS + unit);
}

fn w_block(row: u32, block: u32) -> WBlock {
  return decode32(row, block);
}

fn dot_block(a: WBlock, b: XBlock) -> f32 {
  let low = fma(a.v3, b.v3, fma(a.v2, b.v2, fma(a.v1, b.v1, a.v0 * b.v0)));
  let sums = fma(a.v7, b.v7, fma(a.v6, b.v6, fma(a.v5, b.v5, fma(a.v4, b.v4, low))));
  return (sums.x + sums.y) + (sums.z + sums.w);
}
