// kv = what kv_recent gathered, quantized: keys of the pages that are full now, values of all rows. The tail of the slot = what rows of the
// last page hold. The rows are consecutive positions of one sequence.
// recent [place][K|V][kv head][dim], tail [slot][K|V][kv head][token][dim], four f16 in two words; kv as in parts/kv_pages.
// Grid: (threads / WG, 2), the first half one thread per full page, kv head and word of a key's codes, the other one per row, kv head and
// block of a value. Workgroup memory: none.
// Consts: WG, PAGE_TOKENS, MAX_PAGES, those of the parts. Parts: kv_pages/places, kv_pages/encode.

const SOURCE_PITCH = 2u * KV_HEADS * D4;

fn source_four(at: u32) -> vec2<u32> {
  return recent[at];
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let index = wg.x * WG + lane;
  let slot = step.row[0].slot;
  let first = step.row[0].position / PAGE_TOKENS;
  let before = step.row[0].position % PAGE_TOKENS;
  let places = before + step.rows;
  if (wg.y == 0) {
    let head = index / CODE_WORDS % KV_HEADS;
    let page = index / CODE_WORDS / KV_HEADS;
    if (page < places / PAGE_TOKENS) {
      let base = page * PAGE_TOKENS * SOURCE_PITCH + head * D4;
      encode_keys(page_keys(pages[slot * MAX_PAGES + first + page], head), base, index % CODE_WORDS);
    }
    return;
  }
  let block = index % BLOCKS;
  let head = index / BLOCKS % KV_HEADS;
  let place = before + index / BLOCKS / KV_HEADS;
  if (place >= places) {
    return;
  }
  let page = place / PAGE_TOKENS;
  let token = place % PAGE_TOKENS;
  let base = place * SOURCE_PITCH + head * D4;
  encode_value(page_values(pages[slot * MAX_PAGES + first + page], head), base + KV_HEADS * D4, token, block);
  if (page == (places - 1) / PAGE_TOKENS) {
    let to = ((slot * 2 * KV_HEADS + head) * PAGE_TOKENS + token) * D4;
    for (var i = block * BLOCK4; i < (block + 1) * BLOCK4; i++) {
      tail[to + i] = recent[base + i];
      tail[to + KV_HEADS * PAGE_TOKENS * D4 + i] = recent[base + KV_HEADS * D4 + i];
    }
  }
}
