// Q8_0 rows, w = d * q (src/formats/q8_0.ts).
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`. Consts: Q8_0_GROUP, Q8_0_SCALES. Parts: weight/block.

/// Signed bytes, biased by 128 so that they convert in place; the top one comes down a byte to stay positive.
fn q8_0_bytes(word: u32, step: vec4<f32>, offset: vec4<f32>) -> vec4<f32> {
  let biased = word ^ 0x80808080u;
  let codes = vec4<u32>(biased, biased, biased, biased >> 8u) & vec4<u32>(0x000000ffu, 0x0000ff00u, 0x00ff0000u, 0x00ff0000u);
  return fma(vec4<f32>(vec4<i32>(codes)), step, offset);
}

fn decode32(row: u32, block: u32) -> Block32 {
  let at = (row >> 3u) * Q8_0_GROUP + (row & 7u);
  let pair = w[at + Q8_0_SCALES + (block & 0xfffffff8u)][(block & 7u) >> 1u];
  let d = f16_value(pair >> ((block & 1u) * 16u));
  let step = d * BYTE_STEPS.xyzz;
  let offset = vec4<f32>(-128.0 * d);
  let a = w[at + block * 16u];
  let b = w[at + block * 16u + 8u];
  return Block32(
    q8_0_bytes(a.x, step, offset),
    q8_0_bytes(a.y, step, offset),
    q8_0_bytes(a.z, step, offset),
    q8_0_bytes(a.w, step, offset),
    q8_0_bytes(b.x, step, offset),
    q8_0_bytes(b.y, step, offset),
    q8_0_bytes(b.z, step, offset),
    q8_0_bytes(b.w, step, offset),
  );
}
