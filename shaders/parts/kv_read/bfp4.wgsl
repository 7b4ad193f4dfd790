// Keys and values in block floating point: a head's vector of a token is KV_CODES words of 4-bit mantissas biased by 8, and KV_SHARED
// words of bytes, each the f32 exponent of the largest of KV_BLOCK4 fours; a mantissa counts quarters of that power of two.
// [unit][mantissas of all tokens][exponents of all tokens], a unit is K or V of one kv head in a page. All products are exact in f32.
// Needs kv (array of u32). Consts: PAGE_TOKENS, KV_CODES, KV_SHARED, KV_UNIT, KV_BLOCK4. Parts: kv.

/// First word of the mantissas of a token, by the number that kv_index gives.
fn kv_codes_at(at: u32) -> u32 {
  return at / PAGE_TOKENS * KV_UNIT + at % PAGE_TOKENS * KV_CODES;
}

/// First word of what blocks of a token share.
fn kv_shared_at(at: u32) -> u32 {
  return at / PAGE_TOKENS * KV_UNIT + PAGE_TOKENS * KV_CODES + at % PAGE_TOKENS * KV_SHARED;
}

/// Four of a key, from dimension 4i on.
fn kv_key(at: u32, i: u32) -> vec4<f32> {
  let block = i / KV_BLOCK4;
  let exponent = (kv[kv_shared_at(at) + block / 4] >> (block % 4 * 8)) & 0xff;
  let step = bitcast<f32>(exponent << 23) * 0.25;
  let half = kv[kv_codes_at(at) + i / 2] >> (i % 2 * 16);
  let codes = vec4<i32>(vec4<u32>(half) & vec4<u32>(0xf, 0xf0, 0xf00, 0xf000));
  return fma(vec4<f32>(codes), step * vec4<f32>(1.0, 0.0625, 0.00390625, 0.000244140625), vec4<f32>(-8.0 * step));
}

fn kv_value(at: u32, i: u32) -> vec4<f32> {
  return kv_key(at + kv_values(), i);
}
