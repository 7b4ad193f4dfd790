// y = sum of exp(m - max) o / sum of exp(m - max) l over the ranges of a row.
// partials [rows, PARTIAL_STRIDE] as [HEADS][SPLITS][1 + D4], y [rows, STRIDE], in vec4.
// Grid: (HEADS, rows), one workgroup per head. Workgroup memory: 5 WG words, and that of parts/fours.
// Consts: WG, HEADS, D4, STRIDE, PARTIAL_STRIDE, those of the parts. Parts: reduce, ranges, fours.
// Source: Flash-Decoding, after arXiv:2307.08691.

/// Sets of ranges that the lanes, D4 side by side, sum over.
const STRIPES = WG / D4;

var<workgroup> stripes: array<vec4<f32>, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  if (row >= step.rows) {
    return;
  }
  let used = active_ranges(step.row[row].position);
  let base = row * PARTIAL_STRIDE + wg.x * SPLITS * (D4 + 1);
  var mine = -3e38;
  for (var split = lane; split < used; split += WG) {
    mine = max(mine, partials[base + split * (D4 + 1)].x);
  }
  let top = reduce_max(mine, lane);
  var sum = 0.0;
  for (var split = lane; split < used; split += WG) {
    let head = partials[base + split * (D4 + 1)];
    sum += exp(head.x - top) * head.y;
  }
  let share = 1.0 / max(reduce_add(sum, lane), 1e-30);

  let col = lane % D4;
  let stripe = lane / D4;
  var acc = vec4<f32>();
  if (stripe < STRIPES) {
    for (var split = stripe; split < used; split += STRIPES) {
      let at = base + split * (D4 + 1);
      acc += exp(partials[at].x - top) * partials[at + 1 + col];
    }
  }
  stripes[lane] = acc;
  workgroupBarrier();
  var total = vec4<f32>();
  if (stripe == 0) {
    for (var i = 0u; i < STRIPES; i++) {
      total += stripes[i * D4 + col];
    }
  }
  put_four(row, select(STRIDE, wg.x * D4 + lane, stripe == 0), total * share, lane);
  if (wg.x == HEADS - 1) {
    for (var i = HEADS * D4; i < STRIDE; i += WG) {
      put_four(row, min(i + lane, STRIDE), vec4<f32>(), lane);
    }
    close_row(row, lane);
  }
}
