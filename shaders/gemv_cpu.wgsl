// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k], finished by parts/epilogue, for CPU drivers, one activation row at a time.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE]; where PAIRED, a column is made of rows i and SECOND + i of w.
// Grid: (ceil(groups / GROUPS), rows), one workgroup of 8 lanes for GROUPS groups of 8 weight rows: a lane is a row of each.
// A driver's cost is loads, at about 30 cycles for each scalar whatever it holds, so a lane keeps 32 activations in registers
// for all its rows. `step.reserved0` is zero: it keeps drivers from unrolling loops of large bodies, which made them compile
// for seconds.
// Workgroup memory: none, and no barrier.
// Consts: N, GROUPS, BLOCKS, PAIRED, SECOND, OVER_OUTPUT_ROWS. Parts: weight, dot, epilogue.

/// First sums of all groups, then second ones.
const SUMS: u32 = select(GROUPS, 2u * GROUPS, PAIRED);

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = wg.x * GROUPS * 8u;
  let t = wg.y;
  if (t >= select(step.rows, step.output_rows, OVER_OUTPUT_ROWS)) {
    return;
  }
  let end = min(first + GROUPS * 8u, N);
  let blocks = BLOCKS + step.reserved0;
  var acc: array<f32, SUMS>;
  for (var block = 0u; block < blocks; block++) {
    let xs = x_block(t, block);
    var row = first + lane;
    for (var i = 0u; row < end; i++) {
      acc[i] += dot_block(w_block(row, block), xs);
      if (PAIRED) {
        acc[GROUPS + i] += dot_block(w_block(SECOND + row, block), xs);
      }
      row += 8u;
    }
  }
  var row = first + lane;
  for (var i = 0u; row < end; i++) {
    if (PAIRED) {
      finish_pair(t, row, vec2<f32>(acc[i], acc[GROUPS + i]));
    } else {
      finish(t, row, acc[i]);
    }
    row += 8u;
  }
  if (end == N && lane == 0u) {
    zero_tail(t);
  }
}
