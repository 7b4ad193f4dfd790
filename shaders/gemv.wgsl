// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k] (+ bias[i]) for 1 to COLS activation rows at a time, COLS <= 8.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE].
// Grid: (GRID_X, ceil(N / (ROWS * LANE_ROWS) / GRID_X), SPLITS * ceil(rows / COLS)), one workgroup per ROWS * LANE_ROWS weight rows.
// Lane l takes rows l % ROWS + i * ROWS, i < LANE_ROWS (1 or 2), and every PARTS-th block of K from l / ROWS on, PARTS =
// WG / ROWS: 8 lanes load 128 contiguous bytes, 16 each, and lanes of one block load the same 16 bytes of x. A block is decoded
// once for all activation rows. Two loads of weights are under way at once where LANE_ROWS or UNROLL is 2.
// With SPLITS > 1 a workgroup takes SPLIT_BLOCKS blocks of K, and y has N partial sums for each split (kernels/linear_split.ts).
// Workgroup memory: that of parts/lanes, one barrier.
// Consts: WG, ROWS, LANE_ROWS, UNROLL, COLS, N, BLOCKS, SPLITS, SPLIT_BLOCKS, GRID_X, OVER_OUTPUT_ROWS.
// Parts: weight, dot, epilogue, loop, sums, lanes.

const PARTS: u32 = WG / ROWS;
const OWNED: u32 = ROWS * LANE_ROWS;

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
  return Pair(a, w_block(min(row + ROWS, N - 1u), block));
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
  let split = group.id.z % SPLITS;
  let t = group.id.z / SPLITS * COLS;
  let count = select(step.rows, step.output_rows, OVER_OUTPUT_ROWS);
  if (first >= N || t >= count) {
    return;
  }
  let lane = place.lane;
  let last = count - 1u;
  let row = min(first + lane % ROWS, N - 1u);
  var sums = Sums();
  var block = split * SPLIT_BLOCKS + lane / ROWS;
  let end = min((split + 1u) * SPLIT_BLOCKS, BLOCKS);
  if (UNROLL == 2u) {
    for (; block + PARTS < upto(end); block += 2u * PARTS) {
      let ws = load_pair(row, block);
      let next = load_pair(row, block + PARTS);
      add_block(&sums, ws, t, last, block);
      add_block(&sums, next, t, last, block + PARTS);
    }
  }
  for (; block < upto(end); block += PARTS) {
    add_block(&sums, load_pair(row, block), t, last, block);
  }
  keep_sums(group, place, &sums);
  workgroupBarrier();
  let cols = min(COLS, count - t);
  for (var i = lane; i < cols * OWNED; i += WG) {
    let c = i / OWNED;
    let owned = i % OWNED;
    if (first + owned < N) {
      finish(t + c, split * N + first + owned, total(group, c * LANE_ROWS + owned / ROWS, owned % ROWS));
    }
  }
  if (first + OWNED >= N && split == SPLITS - 1u && lane < cols) {
    zero_tail(t + lane);
  }
}
