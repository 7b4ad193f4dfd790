// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k] (+ bias[i]) for 1 to COLS activation rows at a time, COLS <= 8.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE].
// Grid: (GRID_X, ceil(N / (ROWS * LANE_ROWS) / GRID_X), ceil(rows / COLS)), one workgroup per ROWS * LANE_ROWS weight rows.
// Lane l takes rows l % ROWS + i * ROWS, i < LANE_ROWS (1 or 2), and every PARTS-th block of K from l / ROWS on, PARTS =
// WG / ROWS: 8 lanes load 128 contiguous bytes, 16 each, and lanes of one block load the same 16 bytes of x. A block is decoded
// once for all activation rows. Two loads of weights are under way at once where LANE_ROWS or UNROLL is 2.
// Sums of a lane are named registers: indexed private arrays are slow or miscompiled on some drivers.
// Workgroup memory: that of parts/lanes, one barrier.
// Consts: WG, ROWS, LANE_ROWS, UNROLL, COLS, N, BLOCKS, GRID_X, OVER_OUTPUT_ROWS. Parts: weight, dot, epilogue, loop, lanes.

const PARTS: u32 = WG / ROWS;
const OWNED: u32 = ROWS * LANE_ROWS;

/// Sums of activation rows 0 to 3 and 4 to 7, for a lane's first and second weight row.
struct Sums {
  a0: vec4<f32>,
  a1: vec4<f32>,
  b0: vec4<f32>,
  b1: vec4<f32>,
}

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
    return vec2<f32>(a);
  }
  return vec2<f32>(a, dot_block(ws.b, xs));
}

/// Adds the products with activation rows t to t + 3, as far as there are columns; rows past the last repeat it.
fn dot_four(ws: Pair, t: u32, last: u32, block: u32, columns: u32) -> array<vec4<f32>, 2> {
  let p0 = dot_pair(ws, min(t, last), block);
  var p1 = vec2<f32>();
  var p2 = vec2<f32>();
  var p3 = vec2<f32>();
  if (columns > 1u) {
    p1 = dot_pair(ws, min(t + 1u, last), block);
  }
  if (columns > 2u) {
    p2 = dot_pair(ws, min(t + 2u, last), block);
  }
  if (columns > 3u) {
    p3 = dot_pair(ws, min(t + 3u, last), block);
  }
  return array<vec4<f32>, 2>(vec4<f32>(p0.x, p1.x, p2.x, p3.x), vec4<f32>(p0.y, p1.y, p2.y, p3.y));
}

fn add_block(sums: Sums, ws: Pair, t: u32, last: u32, block: u32) -> Sums {
  let low = dot_four(ws, t, last, block, COLS);
  var found = Sums(sums.a0 + low[0], sums.a1, sums.b0 + low[1], sums.b1);
  if (COLS > 4u) {
    // Uniform: a step of few rows skips these.
    if (t + 4u <= last) {
      let high = dot_four(ws, t + 4u, last, block, COLS - 4u);
      found.a1 += high[0];
      found.b1 += high[1];
    }
  }
  return found;
}

/// Leaves a lane's sums of one weight row, literal by literal.
fn keep_row(group: Group, place: Place, which: u32, low: vec4<f32>, high: vec4<f32>) {
  keep(group, place, which, low.x);
  if (COLS > 1u) {
    keep(group, place, LANE_ROWS + which, low.y);
  }
  if (COLS > 2u) {
    keep(group, place, 2u * LANE_ROWS + which, low.z);
  }
  if (COLS > 3u) {
    keep(group, place, 3u * LANE_ROWS + which, low.w);
  }
  if (COLS > 4u) {
    keep(group, place, 4u * LANE_ROWS + which, high.x);
  }
  if (COLS > 5u) {
    keep(group, place, 5u * LANE_ROWS + which, high.y);
  }
  if (COLS > 6u) {
    keep(group, place, 6u * LANE_ROWS + which, high.z);
  }
  if (COLS > 7u) {
    keep(group, place, 7u * LANE_ROWS + which, high.w);
  }
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
  let row = min(first + lane % ROWS, N - 1u);
  var sums = Sums();
  var block = lane / ROWS;
  if (UNROLL == 2u) {
    for (; block + PARTS < upto(BLOCKS); block += 2u * PARTS) {
      let ws = load_pair(row, block);
      let next = load_pair(row, block + PARTS);
      sums = add_block(sums, ws, t, last, block);
      sums = add_block(sums, next, t, last, block + PARTS);
    }
  }
  for (; block < upto(BLOCKS); block += PARTS) {
    sums = add_block(sums, load_pair(row, block), t, last, block);
  }
  keep_row(group, place, 0u, sums.a0, sums.a1);
  if (LANE_ROWS == 2u) {
    keep_row(group, place, 1u, sums.b0, sums.b1);
  }
  workgroupBarrier();
  let cols = min(COLS, count - t);
  for (var i = lane; i < cols * OWNED; i += WG) {
    let c = i / OWNED;
    let owned = i % OWNED;
    if (first + owned < N) {
      finish(t + c, first + owned, total(group, c * LANE_ROWS + owned / ROWS, owned % ROWS));
    }
  }
  if (first + OWNED >= N && lane < cols) {
    zero_tail(t + lane);
  }
}
