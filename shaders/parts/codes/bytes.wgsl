// A block of 32 activations as signed bytes: scale = max|x| / 127, code = round(x / scale). The largest is found among bits,
// where NaN and infinity are larger than any number: they make a block's scale NaN, also bits, so that every product with it
// is NaN and `pick` sees it. Comparing floats would drop them and give plausible codes.

/// Bits of the largest |x| of four; the largest of several such is the largest of all.
fn most_bits(values: vec4<f32>) -> u32 {
  let bits = bitcast<vec4<u32>>(values) & vec4<u32>(0x7fffffffu);
  return max(max(bits.x, bits.y), max(bits.z, bits.w));
}

/// Bits of the scale.
fn scale_bits(most: u32) -> u32 {
  return select(bitcast<u32>(bitcast<f32>(most) / 127.0), most | 0x7fc00000u, most >= 0x7f800000u);
}

/// 1 / scale; below 1e-30 it would overflow, and such a block is zero next to any other.
fn code_factor(most: u32) -> f32 {
  let largest = bitcast<f32>(most);
  return select(0.0, 127.0 / largest, largest > 1e-30);
}

/// Four codes, in [-127, 127], as bytes.
fn code_word(values: vec4<f32>, factor: f32) -> u32 {
  let q = vec4<u32>(vec4<i32>(round(values * factor))) & vec4<u32>(0xffu);
  return q.x | (q.y << 8u) | (q.z << 16u) | (q.w << 24u);
}
