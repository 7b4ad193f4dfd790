// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k] (+ bias[i]) for CPU drivers, many activation rows.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE].
// Grid: (ceil(groups / GROUPS), ceil(rows / 8)), one workgroup of 8 lanes for GROUPS groups of 8 weight rows and 8 activation
// rows; a lane is a row of each group. A driver's cost is loads, at about 30 cycles for each scalar: eight blocks of x stay at
// hand while the weights pass, decoded once for eight products. Loads sit in loops, and `step.reserved0`, which is zero, keeps
// drivers from unrolling them: each load site of a vec4 costs them 3 to 40 ms to compile.
// Workgroup memory: none, and no barrier.
// Consts: N, GROUPS, BLOCKS, OVER_OUTPUT_ROWS. Parts: weight, dot, epilogue.

/// Columns of a tile, two vec4 of sums for each weight row.
const COLUMNS: u32 = 8u;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = wg.x * GROUPS * 8u;
  let t = wg.y * COLUMNS;
  let count = select(step.rows, step.output_rows, OVER_OUTPUT_ROWS);
  if (t >= count) {
    return;
  }
  let end = min(first + GROUPS * 8u, N);
  let blocks = BLOCKS + step.reserved0;
  let fours = COLUMNS * 8u + step.reserved0;
  var acc: array<vec4<f32>, 2u * GROUPS>;
  var xs: array<vec4<f32>, COLUMNS * 8u>;
  for (var block = 0u; block < blocks; block++) {
    // Rows past the end repeat the last one and are not stored.
    for (var i = 0u; i < fours; i++) {
      xs[i] = x_four(min(t + (i >> 3u), count - 1u), block * 8u + (i & 7u));
    }
    let x0 = Block32(xs[0], xs[1], xs[2], xs[3], xs[4], xs[5], xs[6], xs[7]);
    let x1 = Block32(xs[8], xs[9], xs[10], xs[11], xs[12], xs[13], xs[14], xs[15]);
    let x2 = Block32(xs[16], xs[17], xs[18], xs[19], xs[20], xs[21], xs[22], xs[23]);
    let x3 = Block32(xs[24], xs[25], xs[26], xs[27], xs[28], xs[29], xs[30], xs[31]);
    let x4 = Block32(xs[32], xs[33], xs[34], xs[35], xs[36], xs[37], xs[38], xs[39]);
    let x5 = Block32(xs[40], xs[41], xs[42], xs[43], xs[44], xs[45], xs[46], xs[47]);
    let x6 = Block32(xs[48], xs[49], xs[50], xs[51], xs[52], xs[53], xs[54], xs[55]);
    let x7 = Block32(xs[56], xs[57], xs[58], xs[59], xs[60], xs[61], xs[62], xs[63]);
    var row = first + lane;
    for (var i = 0u; row < end; i += 2u) {
      let ws = w_block(row, block);
      acc[i] += vec4<f32>(dot_block(ws, x0), dot_block(ws, x1), dot_block(ws, x2), dot_block(ws, x3));
      acc[i + 1u] += vec4<f32>(dot_block(ws, x4), dot_block(ws, x5), dot_block(ws, x6), dot_block(ws, x7));
      row += 8u;
    }
  }
  let stored = min(COLUMNS + step.reserved0, count - t);
  var row = first + lane;
  for (var i = 0u; row < end; i += 2u) {
    for (var j = 0u; j < stored; j++) {
      finish(t + j, row, acc[i + (j >> 2u)][j & 3u]);
    }
    row += 8u;
  }
  if (end == N && lane < stored) {
    zero_tail(t + lane);
  }
}
