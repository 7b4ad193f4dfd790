// y[t, i] = sum_k x[t, k] * d[i, k / 32] * (q[i, k] - 8), one thread for each output and nothing shared: the plainest form.
// x [M, K] f32; q [N, K / 8], eight four-bit codes to a word in the order of k; d [N, K / 64], two f16 scales to a word; y [M, N].
// Grid: (ceil(N / 16), ceil(M / 16)), a workgroup of 16 x 16 threads for as many outputs. M, N multiples of 16.
// Workgroup memory: none. Consts: K, N. Parts: none.

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x;
  let t = id.y;
  var sum = 0.0;
  for (var word = 0u; word < K / 8; word++) {
    let codes = q[i * (K / 8) + word];
    let block = word / 4;
    let scale = unpack2x16float(d[i * (K / 64) + block / 2])[block & 1];
    var dot = 0.0;
    for (var j = 0u; j < 8; j++) {
      dot += x[t * K + word * 8 + j] * (f32((codes >> (4 * j)) & 15) - 8.0);
    }
    sum += dot * scale;
  }
  y[t * N + i] = sum;
}
