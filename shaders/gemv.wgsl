// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k] (+ bias[i]) for 1 to COLS activation rows at a time.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE].
// Grid: (GRID_X, ceil(groups / GRID_X), ceil(rows / COLS)), one workgroup per group of 8 weight rows. Lane l takes row l % 8
// and every (WG / 8)-th block of K from l / 8 on: the lanes' 16-byte loads are one contiguous range. Each block is decoded
// once for all COLS activation rows.
// Workgroup memory: 4 * WG * COLS bytes, one barrier. A lane adds up in its own places there, as indexed private arrays are
// slow or miscompiled on some drivers; a single activation row stays in a register. `step.reserved0` is zero: it keeps a CPU
// driver from unrolling a loop of large body, which made it compile for seconds.
// Consts: WG, COLS, N, BLOCKS, GRID_X, OVER_OUTPUT_ROWS. Parts: weight, dot, epilogue.

var<workgroup> partial: array<f32, WG * COLS>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = (wg.y * GRID_X + wg.x) * 8u;
  let t = wg.z * COLS;
  let count = select(step.rows, step.output_rows, OVER_OUTPUT_ROWS);
  if (first >= N || t >= count) {
    return;
  }
  let cols = min(COLS + step.reserved0, count - t);
  let blocks = BLOCKS + step.reserved0;
  var single = 0.0;
  for (var block = lane >> 3u; block < blocks; block += WG / 8u) {
    let ws = w_block(first + (lane & 7u), block);
    if (COLS == 1u) {
      single += dot_block(ws, x_block(t, block));
    } else {
      for (var c = 0u; c < cols; c++) {
        partial[c * WG + lane] += dot_block(ws, x_block(t + c, block));
      }
    }
  }
  if (COLS == 1u) {
    partial[lane] = single;
  }
  workgroupBarrier();
  for (var i = lane; i < cols * 8u; i += WG) {
    let row = i & 7u;
    let c = i >> 3u;
    var sum = 0.0;
    for (var part = 0u; part < WG; part += 8u) {
      sum += partial[c * WG + part + row];
    }
    if (first + row < N) {
      finish(t + c, first + row, sum);
    }
  }
  if (first + 8u >= N && lane < cols) {
    zero_tail(t + lane);
  }
}
