// y[t, o] = sum over listed bundles e and their neurons j of down[o, j] * h[t, e * NEURONS + j]; blocks of h that are zero cost no weights.
// h is x [rows, ENTRIES * NEURONS], y [rows, HIDDEN]; w: of each slot a row group, in which row o % 8 has NEURONS weights of output o at
// block (o / 8) * (NEURONS / 32); list: count, bits of a threshold, 0, 0, slots.
// Grid: (HIDDEN / 8, rows), one workgroup per 8 outputs. Lane l has output l % 8 and every eighth block of h from l / 8 on.
// Workgroup memory: 4 bytes per lane, one barrier. Consts: WG (64), NEURONS, ENTRIES, HIDDEN. Parts: weight, dot, loop.
// Source: arXiv:2312.11514, 3.2.

const PER_ENTRY: u32 = NEURONS / 32u;

var<workgroup> sums: array<f32, WG>;

fn is_zero(b: XBlock) -> bool {
  let low = abs(b.v0) + abs(b.v1) + abs(b.v2) + abs(b.v3);
  let all = low + abs(b.v4) + abs(b.v5) + abs(b.v6) + abs(b.v7);
  return all.x + all.y + all.z + all.w == 0.0;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let t = wg.y;
  if (t >= step.rows) {
    return;
  }
  let blocks = min(list[0], ENTRIES) * PER_ENTRY;
  var sum = 0.0;
  for (var i = lane / 8u; i < upto(blocks); i += WG / 8u) {
    let hs = x_block(t, i);
    if (!is_zero(hs)) {
      let row = list[4u + i / PER_ENTRY] * 8u + lane % 8u;
      sum += dot_block(w_block(row, wg.x * PER_ENTRY + i % PER_ENTRY), hs);
    }
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane < 8u) {
    var total = 0.0;
    for (var other = lane; other < WG; other += 8u) {
      total += sums[other];
    }
    y[t * HIDDEN + wg.x * 8u + lane] = act_t(total);
  }
}
