// Products in f32 with activations as they lie in their buffer: the dot part of the f32 and f16 classes.
// x_block(row, block): 32 activations of a row of `x`; x_four(row, i): those from 4 * i on.
// Bindings: x array<vec4<act_t>>. Consts: X_STRIDE (vec4 per row of x). Parts: block32, dot/product.

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

fn x_four(row: u32, i: u32) -> vec4<f32> {
  return vec4<f32>(x[row * X_STRIDE + i]);
}
