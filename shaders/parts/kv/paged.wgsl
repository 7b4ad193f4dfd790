// Addresses in the pages of one layer: [page][K|V][kv head][token][dim], dim in fours.
// Needs `pages: array<u32>` [slot, MAX_PAGES]. Consts: D4 (fours of a head), KV_HEADS, PAGE_TOKENS, MAX_PAGES.

/// From K of a token to its V.
fn kv_values() -> u32 {
  return KV_HEADS * PAGE_TOKENS * D4;
}

/// Index of the first four of K of (slot, position, kv head).
fn kv_index(slot: u32, position: u32, head: u32) -> u32 {
  let page = pages[slot * MAX_PAGES + position / PAGE_TOKENS];
  return ((page * 2 * KV_HEADS + head) * PAGE_TOKENS + position % PAGE_TOKENS) * D4;
}
