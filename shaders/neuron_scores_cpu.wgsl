// scores[t, b] = max over the NEURONS neurons of bundle b of gate_j . x_t, with a coarse copy of gate. For CPU drivers.
// x [rows, 32 * BLOCKS], w [BUNDLES * NEURONS, 32 * BLOCKS], scores [rows, STRIDE], the padding zero.
// Grid: (ceil(STRIDE / 8), rows), one thread per bundle. `step.reserved0` is zero and keeps drivers from unrolling.
// Workgroup memory: none, and no barrier. Consts: NEURONS, BUNDLES, STRIDE, BLOCKS, and LOWEST below any score. Parts: weight, dot.

const LOWEST: f32 = -3e38;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let bundle = wg.x * 8u + lane;
  let t = wg.y;
  if (t >= step.rows || bundle >= STRIDE) {
    return;
  }
  if (bundle >= BUNDLES) {
    scores[t * STRIDE + bundle] = 0.0;
    return;
  }
  let neurons = NEURONS + step.reserved0;
  let blocks = BLOCKS + step.reserved0;
  var sums = array<f32, NEURONS>();
  for (var block = 0u; block < blocks; block++) {
    let xs = x_block(t, block);
    for (var neuron = 0u; neuron < neurons; neuron++) {
      sums[neuron] += dot_block(w_block(bundle * NEURONS + neuron, block), xs);
    }
  }
  var most = LOWEST;
  for (var neuron = 0u; neuron < neurons; neuron++) {
    most = max(most, sums[neuron]);
  }
  scores[t * STRIDE + bundle] = most;
}
