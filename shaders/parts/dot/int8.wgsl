// Products with activations quantized to bytes, in f32: the dot part of the int8 class for any weight.
// x_block(row, block): 32 activations of a row of `x`; x_four(row, i): those from 4 * i on.
// Bindings: x array<vec4<u32>> (signed bytes), x_scales array<f32>, one for each block.
// Consts: X_STRIDE (vec4 per row of x), X_SCALES_STRIDE. Parts: block32, dot/product.

fn x_block(row: u32, block: u32) -> XBlock {
  let at = row * X_STRIDE + block * 2u;
  return bytes32(x[at], x[at + 1u], x_scales[row * X_SCALES_STRIDE + block]);
}

fn x_four(row: u32, i: u32) -> vec4<f32> {
  let scale = x_scales[row * X_SCALES_STRIDE + (i >> 3u)];
  return bytes4(x[row * X_STRIDE + (i >> 2u)][i & 3u], scale * BYTE_STEPS.xyzz, vec4<f32>(-128.0 * scale));
}
