// Products in f32 with activations as they lie in their buffer, as dot/f32 has them, but loaded by parts/block.
// x_block(row, block): 32 activations of a row of `x`; x_four(row, i): those from 4 * i on.
// Bindings: x array<vec4<act_t>>. Consts: X_STRIDE (vec4 per row of x). Parts: block32, block, dot/product.

fn x_four(row: u32, i: u32) -> vec4<f32> {
  return vec4<f32>(x[row * X_STRIDE + i]);
}

fn x_block(row: u32, block: u32) -> XBlock {
  return x_fours(row, block);
}
