// Shared by the formats of 1, 2, 3 and 5 bits: codes from planes of bits (src/formats/bit_planes.ts) as bytes and as f32.
// Parts: block32.

/// One bit of each of 32 codes, from their word: the first 16, and the last.
fn plane_bits_a(word: u32) -> vec4<u32> {
  return (vec4<u32>(word) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(0x01010101u);
}

fn plane_bits_b(word: u32) -> vec4<u32> {
  return (vec4<u32>(word) >> vec4<u32>(4u, 5u, 6u, 7u)) & vec4<u32>(0x01010101u);
}

/// Sixteen 2-bit codes.
fn plane_pairs(word: u32) -> vec4<u32> {
  return (vec4<u32>(word) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(0x03030303u);
}

/// 32 codes: a unit of nibbles, and a word of their fifth bits.
fn plane_fives(q: vec4<u32>, bits: u32, step: f32, offset: f32) -> Codes32 {
  let codes = nibble_codes(q, step, offset);
  let a = codes.a | (plane_bits_a(bits) << vec4<u32>(4u));
  let b = codes.b | (plane_bits_b(bits) << vec4<u32>(4u));
  return Codes32(a, b, codes.step, codes.offset);
}

/// Two bytes, bits 0-7 and bits 8-15, as signed numbers.
fn plane_signed(pair: u32) -> vec2<f32> {
  return vec2<f32>(vec2<i32>(vec2<u32>(pair << 24u, pair << 16u)) >> vec2<u32>(24u));
}

/// Codes in the bits `mask` of the four bytes; `step` already times BYTE_STEPS.
fn plane_four(word: u32, mask: u32, step: vec4<f32>, offset: vec4<f32>) -> vec4<f32> {
  let codes = vec4<u32>(word & mask) & vec4<u32>(0x000000ffu, 0x0000ff00u, 0x00ff0000u, 0xff000000u);
  return fma(vec4<f32>(vec4<i32>(codes)), step, offset);
}

/// `decode_codes` for codes from 0 to 127: they convert where they lie, without a bias.
fn plane_decode(codes: Codes32) -> Block32 {
  let step0 = codes.step.x * BYTE_STEPS;
  let step1 = codes.step.y * BYTE_STEPS;
  let offset0 = vec4<f32>(codes.offset.x);
  let offset1 = vec4<f32>(codes.offset.y);
  return Block32(
    plane_four(codes.a.x, 0x7f7f7f7fu, step0, offset0),
    plane_four(codes.a.y, 0x7f7f7f7fu, step0, offset0),
    plane_four(codes.a.z, 0x7f7f7f7fu, step0, offset0),
    plane_four(codes.a.w, 0x7f7f7f7fu, step0, offset0),
    plane_four(codes.b.x, 0x7f7f7f7fu, step1, offset1),
    plane_four(codes.b.y, 0x7f7f7f7fu, step1, offset1),
    plane_four(codes.b.z, 0x7f7f7f7fu, step1, offset1),
    plane_four(codes.b.w, 0x7f7f7f7fu, step1, offset1),
  );
}

/// 32 two-bit codes from two words.
fn plane_pairs32(pairs: vec2<u32>, step: vec2<f32>, offset: vec2<f32>) -> Block32 {
  let step0 = step.x * BYTE_STEPS;
  let step1 = step.y * BYTE_STEPS;
  let offset0 = vec4<f32>(offset.x);
  let offset1 = vec4<f32>(offset.y);
  return Block32(
    plane_four(pairs.x, 0x03030303u, step0, offset0),
    plane_four(pairs.x >> 2u, 0x03030303u, step0, offset0),
    plane_four(pairs.x >> 4u, 0x03030303u, step0, offset0),
    plane_four(pairs.x >> 6u, 0x03030303u, step0, offset0),
    plane_four(pairs.y, 0x03030303u, step1, offset1),
    plane_four(pairs.y >> 2u, 0x03030303u, step1, offset1),
    plane_four(pairs.y >> 4u, 0x03030303u, step1, offset1),
    plane_four(pairs.y >> 6u, 0x03030303u, step1, offset1),
  );
}

/// The two words of 2-bit codes that a block has in its half of a unit.
fn plane_pair_words(unit: vec4<u32>, block: u32) -> vec2<u32> {
  return select(unit.xy, unit.zw, (block & 1u) != 0u);
}

/// f16 number `index` of a row in a plane of them that begins at unit `at`.
fn plane_half(at: u32, index: u32) -> f32 {
  return f16_value(w[at + (index & 0xfffffff8u)][(index & 7u) >> 1u] >> ((index & 1u) * 16u));
}
