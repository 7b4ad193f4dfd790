// Q1_0 rows, w = d or -d (src/formats/q1_0.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`; codes32: the same as bytes with their scale.
// Consts: Q1_0_GROUP, Q1_0_SCALES. Parts: block32, weight/planes.

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * Q1_0_GROUP + (row & 7u);
  let bits = w[at + (block >> 2u) * 8u][block & 3u];
  let d = plane_half(at + Q1_0_SCALES, block >> 2u);
  let step = 2.0 * d * BYTE_STEPS;
  let offset = vec4<f32>(-d);
  return Block32(
    plane_four(bits, 0x01010101u, step, offset),
    plane_four(bits >> 1u, 0x01010101u, step, offset),
    plane_four(bits >> 2u, 0x01010101u, step, offset),
    plane_four(bits >> 3u, 0x01010101u, step, offset),
    plane_four(bits >> 4u, 0x01010101u, step, offset),
    plane_four(bits >> 5u, 0x01010101u, step, offset),
    plane_four(bits >> 6u, 0x01010101u, step, offset),
    plane_four(bits >> 7u, 0x01010101u, step, offset),
  );
}

fn codes32(row: u32, block: u32) -> Codes32 {
  let at = (row >> 3u) * Q1_0_GROUP + (row & 7u);
  let bits = w[at + (block >> 2u) * 8u][block & 3u];
  let d = plane_half(at + Q1_0_SCALES, block >> 2u);
  return Codes32(plane_bits_a(bits), plane_bits_b(bits), vec2<f32>(2.0 * d), vec2<f32>(-d));
}
