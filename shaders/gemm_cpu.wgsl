// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k], finished by parts/epilogue, for CPU drivers, two or more activation rows.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE].
// Grid: (ceil(groups / GROUPS), ceil(rows / COLUMNS)), one workgroup of 8 lanes for GROUPS groups of 8 weight rows and COLUMNS
// activation rows; a lane is a row of each group. A driver's cost is loads, at about 30 cycles for each scalar: COLUMNS blocks
// of x stay at hand while the weights pass, each decoded once for all of them. Loads sit in loops, and `step.reserved0`, which
// is zero, keeps drivers from unrolling them: each load site of a vec4 costs them 3 to 40 ms to compile.
// Workgroup memory: none, and no barrier.
// Consts: N, GROUPS, BLOCKS, OVER_OUTPUT_ROWS. Parts: weight, dot, columns, epilogue.

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
  let units = COLUMNS * X_UNITS + step.reserved0;
  var acc: array<Sums, GROUPS>;
  var xs: array<XUnit, COLUMNS * X_UNITS>;
  for (var block = 0u; block < blocks; block++) {
    // Rows past the end repeat the last one and are not stored.
    for (var i = 0u; i < units; i++) {
      xs[i] = x_unit(min(t + i / X_UNITS, count - 1u), block, i % X_UNITS);
    }
    let columns = take_columns(&xs);
    var row = first + lane;
    for (var i = 0u; row < end; i++) {
      acc[i] += products(w_block(row, block), columns);
      row += 8u;
    }
  }
  let stored = min(COLUMNS + step.reserved0, count - t);
  var row = first + lane;
  for (var i = 0u; row < end; i++) {
    for (var j = 0u; j < stored; j++) {
      finish(t + j, row, sum_of(acc[i], j));
    }
    row += 8u;
  }
  if (end == N && lane < stored) {
    zero_tail(t + lane);
  }
}
