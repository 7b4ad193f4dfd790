// Products of weights and activations that are both bytes, four at a time: sx * (step * sum(q qx) + offset * sum(qx)),
// for each half of a block.
// w_block(row, block), x_block(row, block): 32 codes; dot_block: the product of the values that they stand for; x_unit: a third of an
// x_block: codes of a half, those of the other, the bits of scale and sums.
// Bindings: x array<vec4<u32>> (signed bytes), x_scales array<f32>, one for each block.
// Consts: X_STRIDE (vec4 per row of x), X_SCALES_STRIDE. Parts: block32 and a weight with codes32.

alias WBlock = Codes32;

struct XBlock {
  a: vec4<u32>,
  b: vec4<u32>,
  scale: f32,
  // Sums of the codes of each half.
  sums: vec2<f32>,
}

fn sum_products(a: vec4<u32>, b: vec4<u32>) -> i32 {
  return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}

fn w_block(row: u32, block: u32) -> WBlock {
  return codes32(row, block);
}

fn x_block(row: u32, block: u32) -> XBlock {
  let at = row * X_STRIDE + block * 2u;
  let a = x[at];
  let b = x[at + 1u];
  let ones = vec4<u32>(0x01010101u);
  let sums = vec2<f32>(vec2<i32>(sum_products(a, ones), sum_products(b, ones)));
  return XBlock(a, b, x_scales[row * X_SCALES_STRIDE + block], sums);
}

alias XUnit = vec4<u32>;
const X_UNITS: u32 = 3u;

fn x_unit(row: u32, block: u32, unit: u32) -> XUnit {
  if (unit < 2u) {
    return x[row * X_STRIDE + block * 2u + unit];
  }
  let xs = x_block(row, block);
  return vec4<u32>(bitcast<vec3<u32>>(vec3<f32>(xs.scale, xs.sums)), 0u);
}

fn dot_block(ws: WBlock, xs: XBlock) -> f32 {
  let products = vec2<f32>(vec2<i32>(sum_products(ws.a, xs.a), sum_products(ws.b, xs.b)));
  return xs.scale * (dot(ws.step, products) + dot(ws.offset, xs.sums));
}
