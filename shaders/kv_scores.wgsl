// scores[SCORES_HEADER + kv head * TOKENS + key] += probabilities of the key, over all rows and the query heads of the kv head, where scores[0]
// is not 0; else nothing.
// q [rows, STRIDE] in vec4, heads of D4; sums [rows, SUM_STRIDE] of kv_score_sums; kv as in parts/kv; the rows are consecutive positions of
// one sequence.
// Grid: (ceil(keys / WG), KV_HEADS), one thread per key. Workgroup memory: none, and no barrier.
// Consts: WG, GROUP, STRIDE, SUM_STRIDE, TOKENS, SCORES_HEADER, those of the parts. Parts: observe, kv, kv_number, kv_read, loop.
// Papers: arXiv:2404.14469 (SnapKV), arXiv:2403.09054 (Keyformer).

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let key = wg.x * WG + lane;
  let start = step.row[0].position;
  if (scores[0] == 0.0 || key >= start + step.rows) {
    return;
  }
  let kv_head = wg.y;
  let from_key = kv_index(step.row[0].slot, key, kv_head);
  var total = 0.0;
  // Rows before the key's own do not see it.
  for (var first = max(key, start) - start; first < step.rows; first += 4) {
    let rows = first + min(vec4<u32>(0, 1, 2, 3), vec4<u32>(step.rows - first - 1));
    let counted = select(vec4<f32>(), vec4<f32>(1.0), first + vec4<u32>(0, 1, 2, 3) == rows);
    for (var head = kv_head * GROUP; head < (kv_head + 1) * GROUP; head++) {
      let at = rows * STRIDE + head * D4;
      var products = vec4<f32>();
      for (var i = 0u; i < upto(D4); i++) {
        let k = kv_key(from_key, i);
        products += vec4<f32>(
          dot(vec4<f32>(q[at.x + i]), k),
          dot(vec4<f32>(q[at.y + i]), k),
          dot(vec4<f32>(q[at.z + i]), k),
          dot(vec4<f32>(q[at.w + i]), k),
        );
      }
      let logs = vec4<f32>(
        sums[rows.x * SUM_STRIDE + head],
        sums[rows.y * SUM_STRIDE + head],
        sums[rows.z * SUM_STRIDE + head],
        sums[rows.w * SUM_STRIDE + head],
      );
      total += dot(counted, exp(observed(products, start + rows, key, head) - logs));
    }
  }
  scores[SCORES_HEADER + kv_head * TOKENS + key] += total;
}
