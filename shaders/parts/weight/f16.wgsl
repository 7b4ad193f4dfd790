// F16 rows, eight weights to a unit (src/formats/float.ts). An adapter may flush weights below 2^-14 to zero.
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`. Consts: F16_GROUP. Parts: block32.

fn f16_pairs(first: u32, second: u32) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(first), unpack2x16float(second));
}

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * F16_GROUP + block * 32u + (row & 7u);
  let a = w[at];
  let b = w[at + 8u];
  let c = w[at + 16u];
  let d = w[at + 24u];
  return Block32(
    f16_pairs(a.x, a.y),
    f16_pairs(a.z, a.w),
    f16_pairs(b.x, b.y),
    f16_pairs(b.z, b.w),
    f16_pairs(c.x, c.y),
    f16_pairs(c.z, c.w),
    f16_pairs(d.x, d.y),
    f16_pairs(d.z, d.w),
  );
}
