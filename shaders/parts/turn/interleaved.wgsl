// RoPE of one vec4 of a head: dimensions 2 i and 2 i + 1 turn together, those from ROTARY on pass through.
// Needs `turns: array<vec4<f32>>` [MAX_POSITIONS, ROTARY / 2] of (cos, sin). Consts: ROTARY (a multiple of 4), MAX_POSITIONS.
// Paper: arXiv:2104.09864.

/// The vec4 of the head that vec4 i turns with: itself.
fn turn_partner(i: u32) -> u32 {
  return i;
}

fn turn(i: u32, mine: vec4<f32>, partner: vec4<f32>, position: u32) -> vec4<f32> {
  if (i >= ROTARY / 4u) {
    return mine;
  }
  let a = turns[min(position, MAX_POSITIONS - 1u) * (ROTARY / 4u) + i];
  return mine * a.xxzz + partner.yxwz * vec4<f32>(-a.y, a.y, -a.w, a.w);
}
