// Keys and values of types that hold each number by itself. Needs kv (array of kv_four). Parts: kv, kv_number.
// `at`: the number of a token of a kv head that kv_index gives; KV_NEXT leads to the next token of its page.

/// Four of a key, from dimension 4i on.
fn kv_key(at: u32, i: u32) -> vec4<f32> {
  return kv_unpack(kv[at + i]);
}

fn kv_value(at: u32, i: u32) -> vec4<f32> {
  return kv_unpack(kv[at + kv_values() + i]);
}
