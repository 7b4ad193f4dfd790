// RoPE of one vec4 of a head: dimensions i and i + ROTARY / 2 turn together, those from ROTARY on pass through.
// Needs `turns: array<vec4<f32>>` [MAX_POSITIONS, ROTARY / 2] of (cos, sin). Consts: ROTARY (a multiple of 8), MAX_POSITIONS.
// Paper: arXiv:2104.09864.

const TURN_HALF = ROTARY / 8u;

/// The vec4 of the head that vec4 i turns with.
fn turn_partner(i: u32) -> u32 {
  if (i >= 2u * TURN_HALF) {
    return i;
  }
  return select(i - TURN_HALF, i + TURN_HALF, i < TURN_HALF);
}

fn turn(i: u32, mine: vec4<f32>, partner: vec4<f32>, position: u32) -> vec4<f32> {
  if (i >= 2u * TURN_HALF) {
    return mine;
  }
  let first = i < TURN_HALF;
  let at = min(position, MAX_POSITIONS - 1u) * (ROTARY / 4u) + 2u * select(i - TURN_HALF, i, first);
  let a = turns[at];
  let b = turns[at + 1u];
  let sines = vec4<f32>(a.yw, b.yw) * select(1.0, -1.0, first);
  return mine * vec4<f32>(a.xz, b.xz) + partner * sines;
}
