// Scores with Gumbel noise over a temperature, so that keys which are little attended to now are not all taken for useless. The temperature
// goes from 1 at position OBSERVE_SPAN to 2 at twice that. Noise follows from the positions, the key's place and the head alone; the same
// formula is in kernels/references/kv_scores.ts. Needs step. Consts: SCALE, OBSERVE_SPAN. Paper: arXiv:2403.09054.

/// -log(-log((i + 0.5) / 32)): WGSL promises too little of log near 1 to take it here.
const OBSERVE_NOISE = array<f32, 32>(
  -1.425247, -1.118503, -0.9358758, -0.7943368, -0.6737903, -0.5658749, -0.466205, -0.3721378,
  -0.2819178, -0.1942864, -0.1082808, -0.02311954, 0.06186768, 0.147287, 0.2337152, 0.3217272,
  0.4119226, 0.5049512, 0.6015436, 0.7025484, 0.8089823, 0.9221002, 1.043498, 1.17527,
  1.320271, 1.482552, 1.668174, 1.88684, 2.155616, 2.509048, 3.036362, 4.151019,
);

fn observe_mixed(word: u32) -> u32 {
  var mixed = word ^ (word >> 16);
  mixed *= 0x7feb352du;
  mixed ^= mixed >> 15;
  mixed *= 0x846ca68bu;
  return mixed ^ (mixed >> 16);
}

fn observe_noise(position: u32, key: u32, head: u32) -> f32 {
  return OBSERVE_NOISE[observe_mixed(observe_mixed(observe_mixed(position + 0x9e3779b9u) + key) + head) >> 27];
}

/// Of a key for queries of a head at four positions.
fn observed(products: vec4<f32>, positions: vec4<u32>, key: u32, head: u32) -> vec4<f32> {
  let turned = positions + step.shift;
  let noise = vec4<f32>(
    observe_noise(turned.x, key, head),
    observe_noise(turned.y, key, head),
    observe_noise(turned.z, key, head),
    observe_noise(turned.w, key, head),
  );
  let beyond = clamp((vec4<f32>(turned) - f32(OBSERVE_SPAN)) / f32(OBSERVE_SPAN), vec4<f32>(), vec4<f32>(1.0));
  return (products * SCALE + noise) / (1.0 + beyond);
}
