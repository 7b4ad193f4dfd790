// Products in f32 with activations times the weight of their norm, which parts/prologue/norm completes.
// x_block(row, block): 32 activations of a row of `x`; x_four(row, i): those from 4 * i on.
// Bindings: x array<vec4<act_t>>, norm_weight array<vec4<f32>>. Consts: X_STRIDE (vec4 per row of x). Parts: block32, block, dot/product.

fn x_four(row: u32, i: u32) -> vec4<f32> {
  return vec4<f32>(x[row * X_STRIDE + i]) * norm_weight[i];
}

fn x_block(row: u32, block: u32) -> XBlock {
  return x_fours(row, block);
}
