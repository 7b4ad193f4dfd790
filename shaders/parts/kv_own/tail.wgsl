// A query's own page in decode: the tail of its slot, [slot][K|V][kv head][token][dim], four f16 in two words.
// Needs tail (array of vec2<u32>). Consts: D4, KV_HEADS, PAGE_TOKENS. Parts: kv_number/halves.

fn own_index(slot: u32, position: u32, head: u32) -> u32 {
  return (slot * 2 * KV_HEADS + head) * PAGE_TOKENS + position % PAGE_TOKENS;
}

fn own_key(at: u32, i: u32) -> vec4<f32> {
  return kv_unpack(tail[at * D4 + i]);
}

fn own_value(at: u32, i: u32) -> vec4<f32> {
  return kv_unpack(tail[(at + KV_HEADS * PAGE_TOKENS) * D4 + i]);
}
