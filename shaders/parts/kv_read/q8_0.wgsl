// Keys and values as signed bytes: a head's vector of a token is KV_CODES words of codes biased by 128, and KV_SHARED words of f16, each
// 128 times the step of KV_BLOCK4 fours. [unit][codes of all tokens][steps of all tokens], a unit is K or V of one kv head in a page.
// All products are exact in f32. Needs kv (array of u32). Consts: PAGE_TOKENS, KV_CODES, KV_SHARED, KV_UNIT, KV_BLOCK4. Parts: kv.

/// First word of the codes of a token, by the number that kv_index gives.
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
  let step = unpack2x16float(kv[kv_shared_at(at) + block / 2] >> (block % 2 * 16)).x * 0.0078125;
  // Bytes are converted where they lie; the top one comes down to stay positive.
  let word = kv[kv_codes_at(at) + i];
  let codes = vec4<i32>(vec4<u32>(word, word, word, word >> 8) & vec4<u32>(0xff, 0xff00, 0xff0000, 0xff0000));
  return fma(vec4<f32>(codes), step * vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.0000152587890625), vec4<f32>(-128.0 * step));
}

fn kv_value(at: u32, i: u32) -> vec4<f32> {
  return kv_key(at + kv_values(), i);
}
