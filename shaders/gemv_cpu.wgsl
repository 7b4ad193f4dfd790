// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k] (+ bias[i]) for CPU drivers, one activation row at a time.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE].
// Grid: (ceil(N / ROWS / WG), rows), one thread per ROWS weight rows. A driver's cost is loads, at about 30 cycles for each
// scalar whatever it holds, so a thread keeps 32 activations in registers for all its rows.
// Workgroup memory: none, and no barrier.
// Consts: WG, ROWS, N, BLOCKS, OVER_OUTPUT_ROWS. Parts: weight, dot, epilogue.

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let first = id.x * ROWS;
  let t = id.y;
  if (first >= N || t >= select(step.rows, step.output_rows, OVER_OUTPUT_ROWS)) {
    return;
  }
  let rows = min(ROWS, N - first);
  var acc: array<f32, ROWS>;
  for (var block = 0u; block < BLOCKS; block++) {
    let xs = x_block(t, block);
    for (var r = 0u; r < rows; r++) {
      acc[r] += dot_block(w_block(first + r, block), xs);
    }
  }
  for (var r = 0u; r < rows; r++) {
    finish(t, first + r, acc[r]);
  }
  if (first + rows == N) {
    zero_tail(t);
  }
}
