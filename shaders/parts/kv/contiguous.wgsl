// Addresses where a slot's positions lie one behind the other, in one layer: [slot][K|V][kv head][token][dim], dim in fours, as many tokens
// as the buffer has room for. Needs kv (array of fours), all of the buffer. Consts: D4 (fours of a head), KV_HEADS, SLOTS.

/// As in paged.
fn kv_see(position: u32) {}

fn contiguous_tokens() -> u32 {
  return arrayLength(&kv) / (SLOTS * 2 * KV_HEADS * D4);
}

/// From K of a token to its V.
fn kv_values() -> u32 {
  return KV_HEADS * contiguous_tokens() * D4;
}

/// Index of the first four of K of (slot, position, kv head).
fn kv_index(slot: u32, position: u32, head: u32) -> u32 {
  return ((slot * 2 * KV_HEADS + head) * contiguous_tokens() + position) * D4;
}
