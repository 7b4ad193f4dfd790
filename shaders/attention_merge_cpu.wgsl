// y = sum of exp(m - max) o / sum of exp(m - max) l over the ranges of a row, for CPU drivers.
// partials [rows, PARTIAL_STRIDE] as [HEADS][SPLITS][1 + D4], y [rows, STRIDE], in vec4.
// Grid: (ceil(STRIDE / WG), rows), one thread per vec4 of y. Workgroup memory: none, and no barrier.
// Consts: WG, HEADS, D4, STRIDE, SPLITS, SPLIT_TOKENS, PARTIAL_STRIDE. Parts: none.
// Source: Flash-Decoding, after arXiv:2307.08691.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  let col = wg.x * WG + lane;
  if (row >= step.rows || col >= STRIDE) {
    return;
  }
  if (col >= HEADS * D4) {
    y[row * STRIDE + col] = vec4<act_t>();
    return;
  }
  // The causal past is never empty, so neither is the first range.
  let used = min(step.row[row].position / SPLIT_TOKENS + 1, SPLITS);
  var at = row * PARTIAL_STRIDE + col / D4 * SPLITS * (D4 + 1);
  var head = partials[at];
  var acc = partials[at + 1 + col % D4];
  for (var split = 1u; split < used; split++) {
    at += D4 + 1;
    let next = partials[at];
    let top = max(head.x, next.x);
    let fade = exp(head.x - top);
    let gain = exp(next.x - top);
    head = vec4<f32>(top, head.y * fade + next.y * gain, 0.0, 0.0);
    acc = acc * fade + partials[at + 1 + col % D4] * gain;
  }
  y[row * STRIDE + col] = vec4<act_t>(acc / max(head.y, 1e-30));
}
