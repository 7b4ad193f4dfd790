// recent = the keys and values from the start of the page that the first row is in: of its tokens before that row from the tail, then k and v
// of the rows, all in f16. What kv_quantize takes pages from and attention_prefill the keys of a query's own page.
// k, v [rows, STRIDE] in vec4; tail [slot][K|V][kv head][token][dim], recent [place][K|V][kv head][dim], four f16 in two words; the rows
// are consecutive positions of one sequence.
// Grid: (ceil(2 * KV_HEADS * D4 / WG), PAGE_TOKENS - 1 + rows), one thread per four. Workgroup memory: none.
// Consts: WG, STRIDE, KV_HEADS, D4, PAGE_TOKENS, KV_MAX. Parts: kv_number/halves.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let place = wg.y;
  let col = wg.x * WG + lane;
  let before = step.row[0].position % PAGE_TOKENS;
  if (place >= before + step.rows || col >= 2 * KV_HEADS * D4) {
    return;
  }
  let to = place * 2 * KV_HEADS * D4 + col;
  if (place < before) {
    recent[to] = tail[((step.row[0].slot * 2 * KV_HEADS + col / D4) * PAGE_TOKENS + place) * D4 + col % D4];
    return;
  }
  let source = (place - before) * STRIDE + col % (KV_HEADS * D4);
  if (col < KV_HEADS * D4) {
    recent[to] = kv_pack(vec4<f32>(k[source]));
  } else {
    recent[to] = kv_pack(vec4<f32>(v[source]));
  }
}
