// Q4_0 rows as they lie in a file, blocks of an f16 scale and 16 bytes one behind the other: 18 bytes, so that every second one
// begins in the middle of a word. A weight part for our own kernels, to tell what repacking is worth.
// decode32, codes32: as of any weight part, but `w` is an array<u32>; byte j of a block holds weights j and j + 16.
// Consts: Q4_0_FILE_BLOCKS (of a row). Parts: block32.

struct FileBlock {
  d: f32,
  q: vec4<u32>,
}

fn file_block(row: u32, block: u32) -> FileBlock {
  let start = (row * Q4_0_FILE_BLOCKS + block) * 9u;
  let at = start >> 1u;
  let low = vec4<u32>(w[at], w[at + 1u], w[at + 2u], w[at + 3u]);
  let high = vec4<u32>(low.yzw, w[at + 4u]);
  let odd = (start & 1u) != 0u;
  let d = f16_value(select(low.x, low.x >> 16u, odd));
  return FileBlock(d, select((low >> vec4<u32>(16u)) | (high << vec4<u32>(16u)), high, odd));
}

fn decode32(row: u32, block: u32) -> Block32 {
  let file = file_block(row, block);
  let q = file.q;
  let step = file.d * BYTE_STEPS;
  let offset = vec4<f32>(-8.0 * file.d);
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

fn codes32(row: u32, block: u32) -> Codes32 {
  let file = file_block(row, block);
  let mask = vec4<u32>(0x0f0f0f0fu);
  return Codes32(file.q & mask, (file.q >> vec4<u32>(4u)) & mask, vec2<f32>(file.d), vec2<f32>(-8.0 * file.d));
}
