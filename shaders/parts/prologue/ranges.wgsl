// Joins the ranges of attention_decode before a matrix-vector product with one row: begin turns each range's (max, sum) into the share of
// its numbers, exp(max - M) / sum of exp(max - M) sum, which parts/dot/ranges multiplies with. begin, settle, factor_of: as in none.wgsl.
// Workgroup memory: 3 * HEADS * SPLITS f32, two barriers.
// Bindings: partials array<vec4<f32>> [rows, PARTIAL_STRIDE] as [HEADS][SPLITS][1 + D4]. Consts: WG, HEADS, D4, SPLITS, PARTIAL_STRIDE.
// Parts: ranges. Source: Flash-Decoding, after arXiv:2307.08691.

var<workgroup> ranges_heads: array<vec2<f32>, HEADS * SPLITS>;
/// [head][range], of those that hold keys.
var<workgroup> ranges_shares: array<f32, HEADS * SPLITS>;

fn begin(lane: u32, t: u32, last: u32) {
  let used = active_ranges(step.row[t].position);
  for (var i = lane; i < HEADS * used; i += WG) {
    let at = i / used * SPLITS + i % used;
    ranges_heads[at] = partials[t * PARTIAL_STRIDE + at * (D4 + 1u)].xy;
  }
  workgroupBarrier();
  for (var i = lane; i < HEADS * used; i += WG) {
    let first = i / used * SPLITS;
    var top = -3e38;
    for (var range = 0u; range < used; range++) {
      top = max(top, ranges_heads[first + range].x);
    }
    var sum = 0.0;
    for (var range = 0u; range < used; range++) {
      let head = ranges_heads[first + range];
      sum += exp(head.x - top) * head.y;
    }
    ranges_shares[first + i % used] = exp(ranges_heads[first + i % used].x - top) / max(sum, 1e-30);
  }
  workgroupBarrier();
}

fn settle(lane: u32) {}

fn factor_of(c: u32) -> f32 {
  return 1.0;
}
