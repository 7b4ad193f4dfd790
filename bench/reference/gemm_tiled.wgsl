// y[t, i] = sum_k x[t, k] * d[i, k / 32] * (q[i, k] - 8) by tiles of 32 x 32 in workgroup memory, the form that WebGPU engines use: a tile's
// weights are decoded once for the workgroup, and each thread adds up 4 x 4 outputs in registers.
// x [M, K] f32; q [N, K / 8], eight four-bit codes to a word in the order of k; d [N, K / 64], two f16 scales to a word; y [M, N].
// Grid: (N / 32, M / 32), a workgroup of 8 x 8 threads for 32 x 32 outputs. M, N, K multiples of 32.
// Workgroup memory: 4.5 KiB, 2 barriers for each 16 of K. Consts: K, N. Parts: none.

// [k of the tile][row], a row of padding against bank conflicts.
var<workgroup> x_tile: array<array<vec4<f32>, 9>, 16>;
var<workgroup> w_tile: array<array<vec4<f32>, 9>, 16>;

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  // What this thread brings: two of the 16 k of four rows of x, and of four rows of w.
  let four = index & 7u;
  let pair = (index >> 3u) * 2u;
  let x_row = wg.y * 32u + four * 4u;
  let w_row = wg.x * 32u + four * 4u;
  var sums: array<vec4<f32>, 4>;
  for (var tile = 0u; tile < K; tile += 16u) {
    let k = tile + pair;
    for (var i = 0u; i < 2u; i++) {
      let at = x_row * K + k + i;
      x_tile[pair + i][four] = vec4<f32>(x[at], x[at + K], x[at + 2u * K], x[at + 3u * K]);
      w_tile[pair + i][four] = vec4<f32>(weight(w_row, k + i), weight(w_row + 1u, k + i), weight(w_row + 2u, k + i), weight(w_row + 3u, k + i));
    }
    workgroupBarrier();
    for (var j = 0u; j < 16u; j++) {
      let a = x_tile[j][lane.y];
      let b = w_tile[j][lane.x];
      sums[0] += a.x * b;
      sums[1] += a.y * b;
      sums[2] += a.z * b;
      sums[3] += a.w * b;
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let at = (wg.y * 32u + lane.y * 4u + i) * N + wg.x * 32u + lane.x * 4u;
    y[at] = sums[i].x;
    y[at + 1u] = sums[i].y;
    y[at + 2u] = sums[i].z;
    y[at + 3u] = sums[i].w;
  }
}

fn weight(row: u32, k: u32) -> f32 {
  let at = row * K + k;
  let scale = unpack2x16float(d[at / 64u])[(k / 32u) & 1u];
  return (f32((q[at / 8u] >> (4u * (k & 7u))) & 15u) - 8.0) * scale;
}
