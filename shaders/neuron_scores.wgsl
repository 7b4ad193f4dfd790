// scores[t, b] = max over the NEURONS neurons of bundle b of gate_j . x_t, with a coarse copy of gate.
// x [rows, 32 * BLOCKS], w [BUNDLES * NEURONS, 32 * BLOCKS], scores [rows, STRIDE], the padding zero.
// Grid: (STRIDE, rows), one workgroup per bundle. Lane l has row l % 8 of each row group and every eighth block of K from l / 8 on.
// Workgroup memory: NEURONS / 2 bytes per lane and 4, two barriers. Consts: WG (64), NEURONS, BUNDLES, STRIDE, BLOCKS, and LOWEST below any
// score. Parts: weight, dot, loop. Source: the low-cost predictor of arXiv:2312.11514, 3.1.

const GROUPS: u32 = NEURONS / 8u;
const LOWEST: f32 = -3e38;

var<workgroup> sums: array<f32, WG * GROUPS>;
var<workgroup> best: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let bundle = wg.x;
  let t = wg.y;
  if (t >= step.rows) {
    return;
  }
  if (bundle >= BUNDLES) {
    if (lane == 0u) {
      scores[t * STRIDE + bundle] = 0.0;
    }
    return;
  }
  for (var i = 0u; i < upto(GROUPS); i++) {
    let row = bundle * NEURONS + i * 8u + lane % 8u;
    var sum = 0.0;
    for (var block = lane / 8u; block < upto(BLOCKS); block += WG / 8u) {
      sum += dot_block(w_block(row, block), x_block(t, block));
    }
    sums[i * WG + lane] = sum;
  }
  workgroupBarrier();
  var most = LOWEST;
  for (var neuron = lane; neuron < upto(NEURONS); neuron += WG) {
    let first = (neuron / 8u) * WG + neuron % 8u;
    var total = 0.0;
    for (var part = 0u; part < WG; part += 8u) {
      total += sums[first + part];
    }
    most = max(most, total);
  }
  best[lane] = most;
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < upto(WG); other++) {
      most = max(most, best[other]);
    }
    scores[t * STRIDE + bundle] = most;
  }
}
