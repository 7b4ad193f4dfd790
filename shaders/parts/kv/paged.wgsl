// Numbers of tokens' vectors in the pages of one layer: [page][K|V][kv head][token], KV_NEXT from one token of a page to the next:
// D4 where each number stands by itself, so that they are indices of fours; 1 where kv_read finds codes and scales by them.
// Needs `pages: array<u32>` [slot, MAX_PAGES]. Consts: KV_NEXT, KV_HEADS, PAGE_TOKENS, MAX_PAGES.

/// The query at this position is to see keys, or several of its page: where a type has pages look different to their own queries.
fn kv_see(position: u32) {}

/// From K of a token to its V.
fn kv_values() -> u32 {
  return KV_HEADS * PAGE_TOKENS * KV_NEXT;
}

/// Of K of (slot, position, kv head).
fn kv_index(slot: u32, position: u32, head: u32) -> u32 {
  let page = pages[slot * MAX_PAGES + position / PAGE_TOKENS];
  return ((page * 2 * KV_HEADS + head) * PAGE_TOKENS + position % PAGE_TOKENS) * KV_NEXT;
}
