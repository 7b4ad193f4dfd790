// h[t, e * NEURONS + j] = f(gate_j . x_t) * (up_j . x_t) of neuron j of the bundle in the e-th listed slot, f from parts/activation; zero
// where that is smaller in size than the list's second word, and of entries behind the list's end.
// x [rows, 32 * BLOCKS], h [rows, ENTRIES * NEURONS]; w: of each slot NEURONS rows of gate, then as many of up; list: count, bits of the
// threshold, 0, 0, slots.
// Grid: (ENTRIES * NEURONS / 8, rows), one workgroup per row group of 8 neurons. Lane l has neuron l % 8 and every eighth block of K from
// l / 8 on: 8 lanes load 128 contiguous bytes. A NaN is no smaller than a threshold, so it stays.
// Workgroup memory: 8 bytes per lane, one barrier. Consts: WG (64), NEURONS, ENTRIES, BLOCKS. Parts: weight, dot, activation, loop.
// Source: arXiv:2312.11514, 3.2.

var<workgroup> sums: array<vec2<f32>, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let entry = wg.x / (NEURONS / 8u);
  let first = (wg.x % (NEURONS / 8u)) * 8u;
  let t = wg.y;
  if (t >= step.rows) {
    return;
  }
  let at = (t * ENTRIES + entry) * NEURONS + first;
  if (entry >= list[0]) {
    if (lane < 8u) {
      h[at + lane] = 0.0;
    }
    return;
  }
  let row = list[4u + entry] * 2u * NEURONS + first + lane % 8u;
  var sum = vec2<f32>();
  for (var block = lane / 8u; block < upto(BLOCKS); block += WG / 8u) {
    let xs = x_block(t, block);
    sum += vec2<f32>(dot_block(w_block(row, block), xs), dot_block(w_block(row + NEURONS, block), xs));
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane < 8u) {
    var total = vec2<f32>();
    for (var other = lane; other < WG; other += 8u) {
      total += sums[other];
    }
    let value = activation_of(total.x) * total.y;
    h[at + lane] = select(value, 0.0, abs(value) < bitcast<f32>(list[1]));
  }
}
