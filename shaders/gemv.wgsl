// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k], finished by parts/epilogue, for 1 to COLS activation rows at a time, COLS <= 8.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE]; where PAIRED, a column is made of rows i and SECOND + i of w.
// Grid: (GRID_X, ceil(N / OWNED / GRID_X), ceil(rows / COLS)), one workgroup per OWNED columns of y.
// Lane l takes rows l % ROWS + i * SECOND, i < LANE_ROWS (1 or 2), and every PARTS-th block of K from l / ROWS on, PARTS =
// WG / ROWS: 8 lanes load 128 contiguous bytes, 16 each, and lanes of one block load the same 16 bytes of x. A block is decoded
// once for all activation rows. Two loads of weights are under way at once where LANE_ROWS or UNROLL is 2.
// Workgroup memory: those of parts/lanes, parts/prologue and parts/best, one barrier and theirs.
// Consts: WG, ROWS, LANE_ROWS, SECOND (from a lane's first row of w to its second), PAIRED, UNROLL, COLS, N, BLOCKS, GRID_X,
// OVER_OUTPUT_ROWS. Parts: weight, dot, prologue, epilogue, best, loop, sums, lanes.

const PARTS: u32 = WG / ROWS;
const OWNED: u32 = select(ROWS * LANE_ROWS, ROWS, PAIRED);

/// The same block of a lane's two weight rows; one row twice where LANE_ROWS is 1.
struct Pair {
  a: WBlock,
  b: WBlock,
}

fn load_pair(row: u32, block: u32) -> Pair {
  let a = w_block(row, block);
  if (LANE_ROWS == 1u) {
    return Pair(a, a);
  }
  return Pair(a, w_block(select(min(row + SECOND, N - 1u), row + SECOND, PAIRED), block));
}

/// Products with activation row t, (a, b).
fn dot_pair(ws: Pair, t: u32, block: u32) -> vec2<f32> {
  let xs = x_block(t, block);
  let a = dot_block(ws.a, xs);
  if (LANE_ROWS == 1u) {
    return vec2<f32>(a, 0.0);
  }
  return vec2<f32>(a, dot_block(ws.b, xs));
}

@compute @workgroup_size(WG)
fn main(group: Group, place: Place) {
  let first = (group.id.y * GRID_X + group.id.x) * OWNED;
  let t = group.id.z * COLS;
  let count = select(step.rows, step.output_rows, OVER_OUTPUT_ROWS);
  if (first >= N || t >= count) {
    return;
  }
  let lane = place.lane;
  let last = count - 1u;
  begin(lane, t, last);
  let row = min(first + lane % ROWS, N - 1u);
  var sums = Sums();
  var block = lane / ROWS;
  if (UNROLL == 2u) {
    for (; block + PARTS < upto(BLOCKS); block += 2u * PARTS) {
      let ws = load_pair(row, block);
      let next = load_pair(row, block + PARTS);
      add_block(&sums, ws, t, last, block);
      add_block(&sums, next, t, last, block + PARTS);
    }
  }
  for (; block < upto(BLOCKS); block += PARTS) {
    add_block(&sums, load_pair(row, block), t, last, block);
  }
  keep_sums(group, place, &sums);
  workgroupBarrier();
  settle(lane);
  let cols = min(COLS, count - t);
  for (var i = lane; i < cols * OWNED; i += WG) {
    let c = i / OWNED;
    let owned = i % OWNED;
    let col = first + owned;
    if (col < N) {
      let factor = factor_of(c);
      if (PAIRED) {
        let sum = vec2<f32>(total(group, c * 2u, owned), total(group, c * 2u + 1u, owned));
        finish_pair(t + c, col, sum * factor);
      } else {
        note_best(i, finish(t + c, col, total(group, c * LANE_ROWS + owned / ROWS, owned % ROWS) * factor));
      }
    }
  }
  close_best(lane, t, first, cols);
  if (first + OWNED >= N && lane < cols) {
    zero_tail(t + lane);
  }
}
