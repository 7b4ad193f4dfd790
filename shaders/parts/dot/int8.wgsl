// Products with activations quantized to bytes, in f32: the dot part of the int8 class for any weight.
// x_block(row, block): 32 activations of a row of `x`.
// Bindings: x array<vec4<u32>> (signed bytes), x_scales array<f32>, one for each block.
// Consts: X_STRIDE (vec4 per row of x), X_SCALES_STRIDE. Parts: weight/block, dot/product.

fn x_block(row: u32, block: u32) -> XBlock {
  let at = row * X_STRIDE + block * 2u;
  return bytes32(x[at], x[at + 1u], x_scales[row * X_SCALES_STRIDE + block]);
}
