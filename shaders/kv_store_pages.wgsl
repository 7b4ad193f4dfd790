// tail[slot] at the row's place in its page = (k, v) in f16; its value in the page quantized too, and all keys of the page when it is full.
// k, v [rows, STRIDE] in vec4; tail [slot][K|V][kv head][token][dim], four f16 in two words; kv as in parts/kv_pages.
// Grid: (ceil(KV_HEADS * (CODE_WORDS + BLOCKS) / WG), rows), one thread per word of a key's codes and one per block of a value. Each reads
// of the tail what it wrote itself, now or in steps before. Workgroup memory: none.
// Consts: WG, STRIDE, KV_MAX, PAGE_TOKENS, MAX_PAGES, those of the parts. Parts: kv_number/halves, kv_pages/places, kv_pages/encode.

const SOURCE_PITCH = D4;

fn source_four(at: u32) -> vec2<u32> {
  return tail[at];
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  let head = (wg.x * WG + lane) / (CODE_WORDS + BLOCKS);
  let part = (wg.x * WG + lane) % (CODE_WORDS + BLOCKS);
  if (row >= step.rows || head >= KV_HEADS) {
    return;
  }
  let slot = step.row[row].slot;
  let position = step.row[row].position;
  let token = position % PAGE_TOKENS;
  let page = pages[slot * MAX_PAGES + position / PAGE_TOKENS];
  let source = row * STRIDE + head * D4;
  if (part < CODE_WORDS) {
    let base = (slot * 2 * KV_HEADS + head) * PAGE_TOKENS * D4;
    for (var i = part * CODE_FOURS; i < min((part + 1) * CODE_FOURS, D4); i++) {
      tail[base + token * D4 + i] = kv_pack(vec4<f32>(k[source + i]));
    }
    if (token == PAGE_TOKENS - 1) {
      encode_keys(page_keys(page, head), base, part);
    }
    return;
  }
  let block = part - CODE_WORDS;
  let base = (((slot * 2 + 1) * KV_HEADS + head) * PAGE_TOKENS + token) * D4;
  for (var i = block * BLOCK4; i < (block + 1) * BLOCK4; i++) {
    tail[base + i] = kv_pack(vec4<f32>(v[source + i]));
  }
  encode_value(page_values(page, head), base, token, block);
}
