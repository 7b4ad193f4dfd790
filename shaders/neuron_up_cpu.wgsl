// h[t, e * NEURONS + j] = f(gate_j . x_t) * (up_j . x_t) of neuron j of the bundle in the e-th listed slot, f from parts/activation; zero
// where that is smaller in size than the list's second word, and of entries behind the list's end. For CPU drivers.
// x [rows, 32 * BLOCKS], h [rows, ENTRIES * NEURONS]; w: of each slot NEURONS rows of gate, then as many of up; list: count, bits of the
// threshold, 0, 0, slots.
// Grid: (ENTRIES, rows), one workgroup of 8 lanes per entry: a lane has a neuron of each row group, so that 32 activations in registers
// serve all of them. `step.reserved0` is zero and keeps drivers from unrolling.
// Workgroup memory: none, and no barrier. Consts: NEURONS, ENTRIES, BLOCKS. Parts: weight, dot, activation.

const GROUPS: u32 = NEURONS / 8u;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let entry = wg.x;
  let t = wg.y;
  if (t >= step.rows) {
    return;
  }
  let at = (t * ENTRIES + entry) * NEURONS + lane;
  let groups = GROUPS + step.reserved0;
  if (entry >= list[0]) {
    for (var i = 0u; i < groups; i++) {
      h[at + i * 8u] = 0.0;
    }
    return;
  }
  let row = list[4u + entry] * 2u * NEURONS + lane;
  let blocks = BLOCKS + step.reserved0;
  var gate = array<f32, GROUPS>();
  var up = array<f32, GROUPS>();
  for (var block = 0u; block < blocks; block++) {
    let xs = x_block(t, block);
    for (var i = 0u; i < groups; i++) {
      gate[i] += dot_block(w_block(row + i * 8u, block), xs);
      up[i] += dot_block(w_block(row + NEURONS + i * 8u, block), xs);
    }
  }
  for (var i = 0u; i < groups; i++) {
    let value = activation_of(gate[i]) * up[i];
    h[at + i * 8u] = select(value, 0.0, abs(value) < bitcast<f32>(list[1]));
  }
}
