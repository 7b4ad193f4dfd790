// y = softmax(q k^T SCALE) v for CPU drivers.
// q, y [rows, STRIDE] in vec4, heads of D4; kv as in parts/kv; the rows are consecutive positions of one sequence.
// Grid: (threads / WG, HEADS), one thread per four queries of a head, where PAGE_ALIGNED all of one page.
// Workgroup memory: none, and no barrier.
// Consts: WG, PAGE_ALIGNED, HEADS, GROUP (query heads per kv head), STRIDE, LOWEST, those of the parts. Parts: attend/four, queries,
// kv, mask, score, scores, sink.
// Paper: arXiv:2307.08691.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  // Fours that lie in one page: the first may then be short.
  let lead = select(0, step.row[0].position % 4, PAGE_ALIGNED);
  let four = (wg.x * WG + lane) * 4;
  let head = wg.y;
  if (four >= step.rows + lead) {
    return;
  }
  let row = max(four, lead) - lead;
  let first = step.row[row].position;
  // Missing rows of the last four repeat its last one and are not stored.
  let count = min(four + 4 - lead, step.rows) - row;
  let rows = min(vec4<u32>(0, 1, 2, 3), vec4<u32>(count - 1));
  let keys = vec2<u32>(mask_next(0, first) / 8 * 8, first + count);
  attend_start(first + rows, vec4<u32>(head), true);
  attend(step.row[row].slot, head / GROUP, keys, (row + rows) * STRIDE + head * D4);
  let share = 1.0 / max(attend_sum, vec4<f32>(1e-30));
  put_queries(row, head, count, share);
}
