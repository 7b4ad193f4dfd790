// Shared by mxfp4 and nvfp4: E2M1 numbers, sign and three bits, as doubled integers 0 1 2 3 4 6 8 12 and their negatives
// (OCP Microscaling Formats 1.0). Parts: block32.

/// Sixteen plus the values of the low nibbles of four bytes, as bytes from 4 to 28.
fn fp4_biased(word: u32) -> u32 {
  // Codes up to 4 are their value; above, bit 0 adds one, bit 1 two, and both together two more.
  let large = (word >> 2u) & 0x01010101u;
  let one = word & large;
  let two = (word >> 1u) & large;
  let value = (word & 0x07070707u) + one + ((two + (one & two)) << 1u);
  let sign = (word >> 3u) & 0x01010101u;
  return 0x10101010u + value - ((value & ((sign << 8u) - sign)) << 1u);
}

/// As signed bytes.
fn fp4_bytes(word: u32) -> u32 {
  return (fp4_biased(word) + 0x70707070u) ^ 0x80808080u;
}

/// value * step; `step` already times BYTE_STEPS, `offset` less 16 steps.
fn fp4_values(word: u32, step: vec4<f32>, offset: vec4<f32>) -> vec4<f32> {
  let codes = vec4<u32>(fp4_biased(word)) & vec4<u32>(0x0000001fu, 0x00001f00u, 0x001f0000u, 0x1f000000u);
  return fma(vec4<f32>(vec4<i32>(codes)), step, offset);
}

/// A unit of codes times a scale for its first and one for its second half.
fn fp4_block(q: vec4<u32>, scale: vec2<f32>) -> Block32 {
  let step0 = scale.x * BYTE_STEPS;
  let step1 = scale.y * BYTE_STEPS;
  let offset0 = vec4<f32>(-16.0 * scale.x);
  let offset1 = vec4<f32>(-16.0 * scale.y);
  return Block32(
    fp4_values(q.x, step0, offset0),
    fp4_values(q.x >> 4u, step0, offset0),
    fp4_values(q.y, step0, offset0),
    fp4_values(q.y >> 4u, step0, offset0),
    fp4_values(q.z, step1, offset1),
    fp4_values(q.z >> 4u, step1, offset1),
    fp4_values(q.w, step1, offset1),
    fp4_values(q.w >> 4u, step1, offset1),
  );
}

fn fp4_codes(q: vec4<u32>, scale: vec2<f32>) -> Codes32 {
  let a = vec4<u32>(fp4_bytes(q.x), fp4_bytes(q.x >> 4u), fp4_bytes(q.y), fp4_bytes(q.y >> 4u));
  let b = vec4<u32>(fp4_bytes(q.z), fp4_bytes(q.z >> 4u), fp4_bytes(q.w), fp4_bytes(q.w >> 4u));
  return Codes32(a, b, scale, vec2<f32>(0.0));
}
