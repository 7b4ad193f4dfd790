// What blocks of signed bytes share, and their codes. kv_share(bits): from the largest magnitude, as bits of f32; kv_code(v, shared):
// four codes. The step is the least f16 / 128 of which 127 reach the largest number, so that no code is cut off; codes are the nearest,
// ties up, whatever a division rounds to. Infinity and NaN make the whole block NaN, for someone to find.

/// The least f16 that is no less than a positive number: normal ones alone, which unpack2x16float keeps everywhere.
fn kv_half_above(bits: u32) -> u32 {
  if (bits >= 0x477fe000) {
    return 0x7bff;
  }
  return select(min(bits, 1u) * 0x400, (bits - 0x38000000 + 0x1fff) >> 13, bits >= 0x38800000);
}

fn kv_share(bits: u32) -> u32 {
  if (bits >= 0x7f800000) {
    return 0x7e00;
  }
  return kv_half_above(bitcast<u32>(bitcast<f32>(bits) * 0.007874015748031496 * 128.0));
}

fn kv_code(v: vec4<f32>, share: u32) -> u32 {
  let step = unpack2x16float(share).x * 0.0078125;
  if (share == 0 || share == 0x7e00) {
    return 0x80808080;
  }
  let below = floor(v * (1.0 / step));
  // Nine bits times eleven: exact, so the comparison is.
  let codes = below + select(vec4<f32>(), vec4<f32>(1.0), v >= (below + 0.5) * step);
  let bytes = vec4<u32>(vec4<i32>(clamp(codes, vec4<f32>(-127.0), vec4<f32>(127.0)) + 128.0));
  return bytes.x | (bytes.y << 8) | (bytes.z << 16) | (bytes.w << 24);
}
