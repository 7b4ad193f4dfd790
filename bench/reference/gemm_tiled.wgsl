// y[t, i] = sum_k x[t, k] * d[i, k / 32] * (q[i, k] - 8) by tiles of 16 x 16 in workgroup memory, the textbook form: each thread brings
// one activation and one weight of a tile, decoded once for the workgroup, then adds up 16 products of its output.
// x [M, K] f32; q [N, K / 8], eight four-bit codes to a word in the order of k; d [N, K / 64], two f16 scales to a word; y [M, N].
// Grid: (N / 16, M / 16), a workgroup of 16 x 16 threads for as many outputs. M, N, K multiples of 16.
// Workgroup memory: 2 KiB, 2 barriers for each 16 of K. Consts: K, N. Parts: none.

var<workgroup> x_tile: array<array<f32, 16>, 16>;
var<workgroup> w_tile: array<array<f32, 16>, 16>;

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
  let i = wg.x * 16 + lane.x;
  let t = wg.y * 16 + lane.y;
  // The weight row that this thread brings: neighbouring lanes take neighbouring k.
  let w_row = wg.x * 16 + lane.y;
  var sum = 0.0;
  for (var tile = 0u; tile < K; tile += 16) {
    let k = tile + lane.x;
    x_tile[lane.y][lane.x] = x[t * K + k];
    let code = (q[(w_row * K + k) / 8] >> (4 * (k & 7))) & 15;
    let scale = unpack2x16float(d[(w_row * K + k) / 64])[(k / 32) & 1];
    w_tile[lane.y][lane.x] = (f32(code) - 8.0) * scale;
    workgroupBarrier();
    for (var j = 0u; j < 16; j++) {
      sum += x_tile[lane.y][j] * w_tile[lane.x][j];
    }
    workgroupBarrier();
  }
  y[t * N + i] = sum;
}
