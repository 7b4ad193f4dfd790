// exp((logit - top) / temperature) * 2^31 as whole numbers, the same on every adapter: src/sampling/weights.ts, step for step.
// Consts: none.

/// c0 - x (c1 - x (c2 - ...)) is 2^(31 - x) for 0 <= x < 1.
const WEIGHT_C0 = 0x80000000u;
const WEIGHT_C1 = 1488513691u;
const WEIGHT_C2 = 515781526u;
const WEIGHT_C3 = 118755002u;
const WEIGHT_C4 = 19780205u;
const WEIGHT_C5 = 2034856u;

/// a * part / 2^16, rounded down; part is below 2^16.
fn weight_share(a: vec4<u32>, part: vec4<u32>) -> vec4<u32> {
  return (a >> vec4<u32>(16)) * part + (((a & vec4<u32>(0xffff)) * part) >> vec4<u32>(16));
}

/// Weights of four logits of at most `top`; `scale` is log2(e) / temperature.
fn weights(top: f32, logits: vec4<f32>, scale: f32) -> vec4<u32> {
  let distance = min(vec4<f32>(top) - logits, vec4<f32>(1e30)) * scale;
  let fixed = vec4<u32>(min(distance, vec4<f32>(40.0)) * 65536.0);
  let whole = fixed >> vec4<u32>(16);
  let part = fixed & vec4<u32>(0xffff);
  var sum = vec4<u32>(WEIGHT_C4) - weight_share(vec4<u32>(WEIGHT_C5), part);
  sum = vec4<u32>(WEIGHT_C3) - weight_share(sum, part);
  sum = vec4<u32>(WEIGHT_C2) - weight_share(sum, part);
  sum = vec4<u32>(WEIGHT_C1) - weight_share(sum, part);
  sum = vec4<u32>(WEIGHT_C0) - weight_share(sum, part);
  return select(vec4<u32>(), sum >> min(whole, vec4<u32>(31)), whole < vec4<u32>(32));
}

fn weight_of(top: f32, logit: f32, scale: f32) -> u32 {
  return weights(top, vec4<f32>(logit), scale).x;
}
