// BF16 rows, eight weights to a unit (src/formats/float.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`. Consts: BF16_GROUP. Parts: block32.

fn bf16_pairs(first: u32, second: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(first << 16u, first & 0xffff0000u, second << 16u, second & 0xffff0000u));
}

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * BF16_GROUP + block * 32u + (row & 7u);
  let a = w[at];
  let b = w[at + 8u];
  let c = w[at + 16u];
  let d = w[at + 24u];
  return Block32(
    bf16_pairs(a.x, a.y),
    bf16_pairs(a.z, a.w),
    bf16_pairs(b.x, b.y),
    bf16_pairs(b.z, b.w),
    bf16_pairs(c.x, c.y),
    bf16_pairs(c.z, c.w),
    bf16_pairs(d.x, d.y),
    bf16_pairs(d.z, d.w),
  );
}
