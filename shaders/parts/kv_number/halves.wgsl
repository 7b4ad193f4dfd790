// Four numbers as pages hold them: f16 pairs in words, the same bytes as in kv_number/plain, for shaders without f16.
// Consts: KV_MAX (largest finite f16).

alias kv_four = vec2<u32>;

/// As in kv_number/plain: infinity and NaN stay what they are, by their bits, for pack2x16float promises nothing of them.
fn kv_pack(v: vec4<f32>) -> kv_four {
  let bits = bitcast<vec4<u32>>(v);
  let finite = (bits & vec4<u32>(0x7f800000u)) != vec4<u32>(0x7f800000u);
  let near = clamp(select(vec4<f32>(), v, finite), vec4<f32>(-KV_MAX), vec4<f32>(KV_MAX));
  let whole = vec2<u32>(pack2x16float(near.xy), pack2x16float(near.zw));
  let infinite = (bits & vec4<u32>(0x7fffffffu)) == vec4<u32>(0x7f800000u);
  let strange = select(select(vec4<u32>(0x7e00u), vec4<u32>(0x7c00u), infinite) | ((bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u)), vec4<u32>(), finite);
  return whole | strange.xz | (strange.yw << vec2<u32>(16u));
}

fn kv_unpack(v: kv_four) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(v.x), unpack2x16float(v.y));
}
