// y[i] = sum_k x[k] * d[i, k / 32] * (q[i, k] - 8): the plain way, kept as the reference that ours is measured against.
// x [K] f32; q [N, K / 8], eight four-bit codes to a word in the order of k; d [N, K / 64], two f16 scales to a word; y [N].
// Grid: (N), one workgroup per weight row: lane l takes words l, l + WG, ... of the row, then a tree adds the lanes' sums.
// Workgroup memory: 4 * WG bytes, log2(WG) + 1 barriers. Consts: WG, K. Parts: none.

var<workgroup> partial: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x;
  var sum = 0.0;
  for (var word = lane; word < K / 8; word += WG) {
    let codes = q[row * (K / 8) + word];
    let block = word / 4;
    let scale = unpack2x16float(d[row * (K / 64) + block / 2])[block & 1];
    var dot = 0.0;
    for (var i = 0u; i < 8; i++) {
      dot += x[word * 8 + i] * (f32((codes >> (4 * i)) & 15) - 8.0);
    }
    sum += dot * scale;
  }
  partial[lane] = sum;
  workgroupBarrier();
  for (var half = WG / 2; half > 0; half /= 2) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  if (lane == 0) {
    y[row] = partial[0];
  }
}
