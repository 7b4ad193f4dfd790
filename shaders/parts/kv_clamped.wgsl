// What pages hold of four numbers. Consts: KV_MAX (largest finite kv_t).

// A number that the pages cannot hold would be an infinity to every later token; the largest they can stands for it. Infinity and
// NaN stay what they are: clamped they would be numbers, and nobody would find them.
fn kv_clamped(v: vec4<f32>) -> vec4<kv_t> {
  let finite = (bitcast<vec4<u32>>(v) & vec4<u32>(0x7f800000u)) != vec4<u32>(0x7f800000u);
  return vec4<kv_t>(select(v, clamp(v, vec4<f32>(-KV_MAX), vec4<f32>(KV_MAX)), finite));
}
