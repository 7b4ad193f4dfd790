// Keys and values, and where they lie, of types that are quantized when a page is full, as the query of kv_see sees them: those of its own page as they were
// made, in f16, those of pages before as the pages have them. Needs kv (array of u32), pages. Consts: D4, KV_HEADS, PAGE_TOKENS, MAX_PAGES,
// CODE_BITS, CODE_WORDS (of a token), CODE_FOURS (of a word), BLOCK4, BLOCKS. Parts: kv_own, kv_repair, kv_pages/places.
// `at`: the number of a token of a kv head that kv_index gives; KV_NEXT leads to the next token of its page.

const PAGES_OWN = 0x80000000u;

var<private> pages_own: u32;

/// Comes before all else: the position of the query, or of queries of one page.
fn kv_see(position: u32) {
  pages_own = position / PAGE_TOKENS;
}

fn kv_index(slot: u32, position: u32, head: u32) -> u32 {
  if (position / PAGE_TOKENS == pages_own) {
    return PAGES_OWN | own_index(slot, position, head);
  }
  let page = pages[slot * MAX_PAGES + position / PAGE_TOKENS];
  return (page * KV_HEADS + head) * PAGE_TOKENS + position % PAGE_TOKENS;
}

/// Four codes, least first.
fn pages_codes(word: u32, i: u32) -> vec4<f32> {
  let codes = word >> (i % CODE_FOURS * 4 * CODE_BITS);
  return vec4<f32>((vec4<u32>(codes) >> (vec4<u32>(0, 1, 2, 3) * CODE_BITS)) & vec4<u32>((1u << CODE_BITS) - 1u));
}

/// What codes of four channels of a page stand for.
struct PageRange {
  step: vec4<f32>,
  least: vec4<f32>,
}

/// `base`: the head's keys in kv.
fn pages_key_range(base: u32, i: u32) -> PageRange {
  let word = base + PAGE_TOKENS * CODE_WORDS + 4 * i;
  let a = unpack2x16float(kv[word]);
  let b = unpack2x16float(kv[word + 1]);
  let c = unpack2x16float(kv[word + 2]);
  let d = unpack2x16float(kv[word + 3]);
  return PageRange(vec4<f32>(a.x, b.x, c.x, d.x), vec4<f32>(a.y, b.y, c.y, d.y));
}

/// First word of what repairs keys, or values; `base`: the head's in kv.
fn pages_key_repair(base: u32) -> u32 {
  return base + PAGE_TOKENS * CODE_WORDS + 4 * D4;
}

fn pages_value_repair(base: u32) -> u32 {
  return base + PAGE_TOKENS * (CODE_WORDS + BLOCKS);
}

/// Four of a key, from dimension 4i on.
fn kv_key(at: u32, i: u32) -> vec4<f32> {
  if ((at & PAGES_OWN) != 0) {
    return own_key(at ^ PAGES_OWN, i);
  }
  let base = page_keys(at / PAGE_TOKENS / KV_HEADS, at / PAGE_TOKENS % KV_HEADS);
  let range = pages_key_range(base, i);
  let four = pages_codes(kv[base + at % PAGE_TOKENS * CODE_WORDS + i / CODE_FOURS], i) * range.step + range.least;
  return repaired(four, repair_of(pages_key_repair(base), i), pages_key_repair(base), at % PAGE_TOKENS);
}

fn kv_value(at: u32, i: u32) -> vec4<f32> {
  if ((at & PAGES_OWN) != 0) {
    return own_value(at ^ PAGES_OWN, i);
  }
  let base = page_values(at / PAGE_TOKENS / KV_HEADS, at / PAGE_TOKENS % KV_HEADS);
  let token = at % PAGE_TOKENS;
  let scale = unpack2x16float(kv[base + PAGE_TOKENS * CODE_WORDS + token * BLOCKS + i / BLOCK4]);
  let four = pages_codes(kv[base + token * CODE_WORDS + i / CODE_FOURS], i) * scale.x + scale.y;
  return repaired(four, repair_of(pages_value_repair(base), i), pages_value_repair(base), token);
}
