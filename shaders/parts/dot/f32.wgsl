// Products in f32 with activations as they lie in their buffer: the dot part of the f32 and f16 classes.
// w_block(row, block), x_block(row, block): 32 values; dot_block: their product.
// Bindings: x array<vec4<act_t>>. Consts: X_STRIDE (vec4 per row of x). Parts: weight/block and a weight.

alias WBlock = Block32;
alias XBlock = Block32;

fn w_block(row: u32, block: u32) -> WBlock {
  return decode32(row, block);
}

fn x_block(row: u32, block: u32) -> XBlock {
  let at = row * X_STRIDE + block * 8u;
  return Block32(
    vec4<f32>(x[at]),
    vec4<f32>(x[at + 1u]),
    vec4<f32>(x[at + 2u]),
    vec4<f32>(x[at + 3u]),
    vec4<f32>(x[at + 4u]),
    vec4<f32>(x[at + 5u]),
    vec4<f32>(x[at + 6u]),
    vec4<f32>(x[at + 7u]),
  );
}

fn dot_block(a: WBlock, b: XBlock) -> f32 {
  let low = fma(a.v3, b.v3, fma(a.v2, b.v2, fma(a.v1, b.v1, a.v0 * b.v0)));
  let sums = fma(a.v7, b.v7, fma(a.v6, b.v6, fma(a.v5, b.v5, fma(a.v4, b.v4, low))));
  return (sums.x + sums.y) + (sums.z + sums.w);
}
