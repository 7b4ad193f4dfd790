// y[t, o] = sum over listed bundles e and their neurons j of down[o, j] * h[t, e * NEURONS + j]; blocks of h that are zero cost no weights.
// For CPU drivers.
// h is x [rows, ENTRIES * NEURONS], y [rows, HIDDEN]; w: of each slot a row group, in which row o % 8 has NEURONS weights of output o at
// block (o / 8) * (NEURONS / 32); list: count, bits of a threshold, 0, 0, slots.
// Grid: (ceil(HIDDEN / 8 / GROUPS), rows), one workgroup of 8 lanes for GROUPS groups of 8 outputs, which share the loads of h.
// `step.reserved0` is zero and keeps drivers from unrolling.
// Workgroup memory: none, and no barrier. Consts: NEURONS, ENTRIES, HIDDEN, GROUPS. Parts: weight, dot.

const PER_ENTRY: u32 = NEURONS / 32u;

fn is_zero(b: XBlock) -> bool {
  let low = abs(b.v0) + abs(b.v1) + abs(b.v2) + abs(b.v3);
  let all = low + abs(b.v4) + abs(b.v5) + abs(b.v6) + abs(b.v7);
  return all.x + all.y + all.z + all.w == 0.0;
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let t = wg.y;
  if (t >= step.rows) {
    return;
  }
  let first = wg.x * GROUPS;
  let groups = min(GROUPS, HIDDEN / 8u - first) + step.reserved0;
  let blocks = min(list[0], ENTRIES) * PER_ENTRY;
  var sums = array<f32, GROUPS>();
  for (var block = 0u; block < blocks; block++) {
    let hs = x_block(t, block);
    if (is_zero(hs)) {
      continue;
    }
    let row = list[4u + block / PER_ENTRY] * 8u + lane;
    for (var i = 0u; i < groups; i++) {
      sums[i] += dot_block(w_block(row, (first + i) * PER_ENTRY + block % PER_ENTRY), hs);
    }
  }
  for (var i = 0u; i < groups; i++) {
    y[t * HIDDEN + (first + i) * 8u + lane] = act_t(sums[i]);
  }
}
