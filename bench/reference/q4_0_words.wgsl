// Q4_0 rows as they lie in a file, as WebGPU engines read them that do not repack: a helper rebuilds each word from the two that it lies in,
// because every second block begins in the middle of one. q4_0_file.wgsl reads the same with as few loads as there can be.
// decode32, codes32: as of any weight part, but `w` is an array<u32>; byte j of a block holds weights j and j + 16.
// Consts: Q4_0_FILE_BLOCKS (of a row). Parts: block32.

/// The word that begins at a half-word of the file.
fn word_at(half: u32) -> u32 {
  let low = w[half >> 1u];
  let high = w[(half >> 1u) + 1u];
  return select(low, (low >> 16u) | (high << 16u), (half & 1u) != 0u);
}

fn scale_at(row: u32, block: u32) -> f32 {
  return f16_value(word_at((row * Q4_0_FILE_BLOCKS + block) * 9u));
}

fn codes_at(row: u32, block: u32) -> vec4<u32> {
  let half = (row * Q4_0_FILE_BLOCKS + block) * 9u + 1u;
  return vec4<u32>(word_at(half), word_at(half + 2u), word_at(half + 4u), word_at(half + 6u));
}

fn decode32(row: u32, block: u32) -> Block32 {
  let d = scale_at(row, block);
  let q = codes_at(row, block);
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

fn codes32(row: u32, block: u32) -> Codes32 {
  let d = scale_at(row, block);
  let q = codes_at(row, block);
  let mask = vec4<u32>(0x0f0f0f0fu);
  return Codes32(q & mask, (q >> vec4<u32>(4u)) & mask, vec2<f32>(d), vec2<f32>(-8.0 * d));
}
