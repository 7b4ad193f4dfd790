// y = sum of exp(m - max) o / sum of exp(m - max) l over the ranges of a row, for CPU drivers.
// partials [rows, PARTIAL_STRIDE] as [HEADS][SPLITS][1 + D4], y [rows, STRIDE], in vec4.
// Grid: as in parts/rows, whose threads have nothing to share. Workgroup memory: none, and no barrier.
// Consts: HEADS, D4, STRIDE, PARTIAL_STRIDE, those of the parts. Parts: rows, ranges.
// Source: Flash-Decoding, after arXiv:2307.08691.

fn made(row: u32, col: u32) -> vec4<f32> {
  if (col >= HEADS * D4) {
    return vec4<f32>();
  }
  // The causal past is never empty, so neither is the first range.
  let used = active_ranges(step.row[row].position);
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
  return acc / max(head.y, 1e-30);
}
