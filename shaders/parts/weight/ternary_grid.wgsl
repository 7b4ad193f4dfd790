// Shared by iq1_s and iq1_m: weights dl * (grid + delta), the grid's values -1, 0 and 1, delta an eighth up or down for each 8.
// Parts: block32, weight/grid.

/// Four points, the step dl of each half, and bits 0 to 3: whether delta is negative.
struct Ternary {
  points: vec4<u32>,
  step: vec2<f32>,
  down: u32,
}

/// 32 weights. A code c stands for c - 1.
fn ternary_block(t: Ternary) -> Block32 {
  let c0 = grid_eight(t.points.x);
  let c1 = grid_eight(t.points.y);
  let c2 = grid_eight(t.points.z);
  let c3 = grid_eight(t.points.w);
  let down = (vec4<u32>(t.down) & vec4<u32>(1u, 2u, 4u, 8u)) != vec4<u32>(0u);
  let offset = t.step.xxyy * select(vec4<f32>(-0.875), vec4<f32>(-1.125), down);
  let step0 = t.step.x * BYTE_STEPS;
  let step1 = t.step.y * BYTE_STEPS;
  return Block32(
    nibbles4(c0.x, step0, offset.xxxx),
    nibbles4(c0.y, step0, offset.xxxx),
    nibbles4(c1.x, step0, offset.yyyy),
    nibbles4(c1.y, step0, offset.yyyy),
    nibbles4(c2.x, step1, offset.zzzz),
    nibbles4(c2.y, step1, offset.zzzz),
    nibbles4(c3.x, step1, offset.wwww),
    nibbles4(c3.y, step1, offset.wwww),
  );
}

/// Eight of them as signed bytes of an eighth of the step: 8 (c - 1) + 1, or - 1.
fn ternary_bytes(point: u32, down: u32) -> vec2<u32> {
  let bias = select(0x79797979u, 0x77777777u, down != 0u);
  return ((grid_eight(point) << vec2<u32>(3u)) + vec2<u32>(bias)) ^ vec2<u32>(0x80808080u);
}

fn ternary_codes(t: Ternary) -> Codes32 {
  let a = vec4<u32>(ternary_bytes(t.points.x, t.down & 1u), ternary_bytes(t.points.y, t.down & 2u));
  let b = vec4<u32>(ternary_bytes(t.points.z, t.down & 4u), ternary_bytes(t.points.w, t.down & 8u));
  return Codes32(a, b, 0.125 * t.step, vec2<f32>(0.0));
}
