// Four numbers as pages hold them: f32, or f16 where shaders have it. Consts: KV_MAX (largest finite kv_t).

alias kv_four = vec4<kv_t>;

/// A number that the pages cannot hold would be an infinity to every later token; the largest they can stands for it. Infinity and
/// NaN stay what they are: clamped they would be numbers, and nobody would find them.
fn kv_pack(v: vec4<f32>) -> kv_four {
  let finite = (bitcast<vec4<u32>>(v) & vec4<u32>(0x7f800000u)) != vec4<u32>(0x7f800000u);
  return vec4<kv_t>(select(v, clamp(v, vec4<f32>(-KV_MAX), vec4<f32>(KV_MAX)), finite));
}

fn kv_unpack(v: kv_four) -> vec4<f32> {
  return vec4<f32>(v);
}
