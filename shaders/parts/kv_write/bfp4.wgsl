// What blocks of block floating point share, and their codes. kv_share(bits): the exponent of the largest magnitude, given as bits of
// f32; kv_code(v, shared): four mantissas, the nearest, ties to even. Scaling by powers of two is exact. The largest magnitude has 4 to 8
// quarters, of which +8 is cut to +7. Infinity and NaN have exponent 255, which makes the whole block NaN, for someone to find.
// Papers: arXiv:2310.10537 (shared exponents).

fn kv_share(bits: u32) -> u32 {
  // Below 4, steps would be subnormal; at 254, -8 of them infinite.
  return select(select(min(bits >> 23, 253u), 255u, bits >= 0x7f800000), 0u, bits < 0x02000000);
}

fn kv_code(v: vec4<f32>, share: u32) -> u32 {
  if (share == 0 || share == 255) {
    return 0x8888;
  }
  let codes = clamp(round(v * bitcast<f32>((256 - share) << 23)), vec4<f32>(-8.0), vec4<f32>(7.0));
  let nibbles = vec4<u32>(vec4<i32>(codes + 8.0));
  return nibbles.x | (nibbles.y << 4) | (nibbles.z << 8) | (nibbles.w << 12);
}
