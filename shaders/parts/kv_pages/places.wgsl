// Words in the pages of one layer of types that are quantized when a page is full: [page][K|V][kv head], KEY_WORDS and VALUE_WORDS each.
// Consts: KV_HEADS, KEY_WORDS, VALUE_WORDS.

fn page_keys(page: u32, head: u32) -> u32 {
  return page * KV_HEADS * (KEY_WORDS + VALUE_WORDS) + head * KEY_WORDS;
}

fn page_values(page: u32, head: u32) -> u32 {
  return page * KV_HEADS * (KEY_WORDS + VALUE_WORDS) + KV_HEADS * KEY_WORDS + head * VALUE_WORDS;
}
