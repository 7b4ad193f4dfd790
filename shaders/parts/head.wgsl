// One vec4 of a query or key head as attention takes it, from the stacked projection: scaled, weighted,
// turned as its place and the step's shift say.
// Needs `qkv` (vec4 array). Parts: turn, head_norm.

/// `base`: index of the head's first vec4 in qkv; `scale`: of head_scale.
fn head_four(base: u32, i: u32, key: bool, scale: f32, position: u32) -> vec4<f32> {
  let other = turn_partner(i);
  var mine = vec4<f32>(qkv[base + i]);
  var partner = vec4<f32>(qkv[base + other]);
  if (HEAD_NORMED) {
    mine *= scale * head_weight(key, i);
    partner *= scale * head_weight(key, other);
  }
  return turn(i, mine, partner, position + step.shift);
}
