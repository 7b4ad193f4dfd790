// A query's own page in prefill: what kv_recent gathered, [place][K|V][kv head][dim], four f16 in two words, from the start of the page that
// the first row is in. Needs recent (array of vec2<u32>). Consts: D4, KV_HEADS, PAGE_TOKENS. Parts: kv_number/halves.

/// Bits of a place in the number of a token: those of the head lie above.
const OWN_PLACES = 20u;

fn own_index(slot: u32, position: u32, head: u32) -> u32 {
  return (head << OWN_PLACES) | (position - step.row[0].position / PAGE_TOKENS * PAGE_TOKENS);
}

fn own_at(at: u32, values: u32) -> u32 {
  return ((at & ((1u << OWN_PLACES) - 1u)) * 2 * KV_HEADS + values + (at >> OWN_PLACES)) * D4;
}

fn own_key(at: u32, i: u32) -> vec4<f32> {
  return kv_unpack(recent[own_at(at, 0) + i]);
}

fn own_value(at: u32, i: u32) -> vec4<f32> {
  return kv_unpack(recent[own_at(at, KV_HEADS) + i]);
}
