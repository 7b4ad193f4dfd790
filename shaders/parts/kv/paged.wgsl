// Addresses in the pages of one layer: [page][K|V][kv head][token][dim], dim in vec4.
// Needs `pages: array<u32>` [slot, MAX_PAGES]. Consts: D4 (vec4 per head), KV_HEADS, PAGE_TOKENS, MAX_PAGES.

/// From K of a vector to its V.
const KV_VALUES = KV_HEADS * PAGE_TOKENS * D4;

/// Index of the first vec4 of K of (slot, position, kv head).
fn kv_index(slot: u32, position: u32, head: u32) -> u32 {
  let page = pages[slot * MAX_PAGES + position / PAGE_TOKENS];
  return ((page * 2 * KV_HEADS + head) * PAGE_TOKENS + position % PAGE_TOKENS) * D4;
}
