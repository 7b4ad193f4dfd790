// Q4_0 rows as they lie in a file, blocks of an f16 scale and 16 bytes one behind the other: 18 bytes, so that every second one
// begins in the middle of a word. A weight part for our own kernels, to tell what repacking is worth.
// decode32(row, block): weights 32 * block .. + 31 of a row of `w`, which is an array<u32>; byte j holds weights j and j + 16.
// Consts: Q4_0_FILE_BLOCKS (of a row). Parts: block32.

fn decode32(row: u32, block: u32) -> Block32 {
  let start = (row * Q4_0_FILE_BLOCKS + block) * 9u;
  let at = start >> 1u;
  let low = vec4<u32>(w[at], w[at + 1u], w[at + 2u], w[at + 3u]);
  let high = vec4<u32>(low.yzw, w[at + 4u]);
  let odd = (start & 1u) != 0u;
  let d = f16_value(select(low.x, low.x >> 16u, odd));
  let q = select((low >> vec4<u32>(16u)) | (high << vec4<u32>(16u)), high, odd);
  let step = d * BYTE_STEPS;
  let offset = vec4<f32>(-8.0 * d);
  return Block32(
    nibbles4(q.x, step, offset),
    nibbles4(q.y, step, offset),
    nibbles4(q.z, step, offset),
    nibbles4(q.w, step, offset),
    nibbles4(q.x >> 4u, step, offset),
    nibbles4(q.y >> 4u, step, offset),
    nibbles4(q.z >> 4u, step, offset),
    nibbles4(q.w >> 4u, step, offset),
  );
}
