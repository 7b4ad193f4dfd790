// Shared by the IQ formats with a grid (src/formats/codebooks): points of 8 or 4 values, looked up at the start of `w`, 16 bits
// each, and signs. All of it is arithmetic on four bytes of a word at once. Parts: block32.

/// The point at `index`.
fn grid_point(index: u32) -> u32 {
  return (w[index >> 3u][(index >> 1u) & 3u] >> ((index & 1u) << 4u)) & 0xffffu;
}

/// Eight 2-bit codes as bytes.
fn grid_eight(index: u32) -> vec2<u32> {
  let point = grid_point(index);
  let both = point | (point << 14u);
  return vec2<u32>(both, both >> 4u) & vec2<u32>(0x03030303u);
}

/// Four 4-bit codes as bytes.
fn grid_four(index: u32) -> u32 {
  let point = grid_point(index);
  return (point | (point << 12u)) & 0x0f0f0f0fu;
}

/// Four numbers for each byte of a word.
fn grid_bytes(word: u32) -> vec4<u32> {
  return (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(0xffu);
}

/// 16 bytes from 1 to 127, or their negatives where bit t of byte i of `signs` says so for byte i of word t.
fn grid_signed(values: vec4<u32>, signs: u32) -> vec4<u32> {
  let minus = (vec4<u32>(signs) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(0x01010101u);
  return (values ^ ((minus << vec4<u32>(8u)) - minus)) + minus;
}

/// 16 values of the 2-bit formats, 8, 25 or 43, of two points.
fn grid_levels(first: u32, second: u32) -> vec4<u32> {
  let codes = vec4<u32>(grid_eight(first), grid_eight(second));
  let top = (codes >> vec4<u32>(1u)) & vec4<u32>(0x01010101u);
  return (codes << vec4<u32>(4u)) + codes + top + vec4<u32>(0x08080808u);
}

/// 32 weights of a 2-bit format from four points.
fn grid_codes(points: vec4<u32>, signs: u32, step: vec2<f32>) -> Codes32 {
  let a = grid_signed(grid_levels(points.x, points.y), signs);
  let b = grid_signed(grid_levels(points.z, points.w), signs >> 4u);
  return Codes32(a, b, step, vec2<f32>(0.0));
}
