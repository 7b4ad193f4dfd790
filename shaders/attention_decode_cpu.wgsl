// (max, sum, 0, 0, sums of exp(score - max) v) of each query head over each range of its row's past, for CPU drivers.
// q [rows, STRIDE], partials [rows, PARTIAL_STRIDE] as [HEADS][SPLITS][1 + D4], in vec4; kv as in parts/kv.
// Grid: (ceil(SETS * ranges / WG), rows), one thread per set of query heads of one kv head, and range.
// Workgroup memory: none, and no barrier.
// Consts: WG, HEADS, GROUP (query heads per kv head), SETS, STRIDE, PARTIAL_STRIDE, LOWEST, those of the parts.
// Parts: attend, ranges, kv, mask, score, scores, sink.
// Source: Flash-Decoding, after arXiv:2307.08691.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  if (row >= step.rows) {
    return;
  }
  let member = (wg.x * WG + lane) % SETS;
  let split = (wg.x * WG + lane) / SETS;
  let position = step.row[row].position;
  let tokens = range_tokens(position);
  let start = range_first(position) + split * tokens;
  if (start > position || split >= SPLITS) {
    return;
  }
  let end = min(start + tokens, position + 1);
  // Sets of a kv head; the last may be short, and then repeats its last head.
  let kv_head = member * KV_HEADS / SETS;
  let first = member % (SETS / KV_HEADS) * ATTEND_QUERIES;
  let count = min(GROUP - first, ATTEND_QUERIES);
  let heads = kv_head * GROUP + first + min(vec4<u32>(0, 1, 2, 3), vec4<u32>(count - 1));
  let first_key = mask_next(select(start, 0, split == 0), position) / 8 * 8;
  attend_start(vec4<u32>(position), heads, split == 0);
  attend(step.row[row].slot, kv_head, vec2<u32>(first_key, end), row * STRIDE + heads * D4);
  let at = row * PARTIAL_STRIDE + (heads.x * SPLITS + split) * (D4 + 1);
  for (var r = 0u; r < count; r++) {
    partials[at + r * SPLITS * (D4 + 1)] = vec4<f32>(attend_top[r], attend_sum[r], 0.0, 0.0);
  }
  attend_each(at + 1, SPLITS * (D4 + 1), count, vec4<f32>(1.0));
}

fn attend_write(at: u32, value: vec4<f32>) {
  partials[at] = value;
}
