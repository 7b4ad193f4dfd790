// The sums of a lane of gemv.wgsl in named registers: indexed private arrays are slow or miscompiled on some GPUs' drivers.
// Sums; add_block: a block's products with activation rows t to t + COLS - 1, as far as there are; keep_sums: for parts/lanes.
// Rows past the last repeat it; a step of few rows skips the second four. Consts: COLS (1 to 8), LANE_ROWS. Parts: lanes.

/// Sums of activation rows 0 to 3 and 4 to 7, for a lane's first and second weight row.
struct Sums {
  a0: vec4<f32>,
  a1: vec4<f32>,
  b0: vec4<f32>,
  b1: vec4<f32>,
}

/// Products with activation rows t to t + columns - 1, at most four: (first weight row, second).
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

fn add_block(sums: ptr<function, Sums>, ws: Pair, t: u32, last: u32, block: u32) {
  let low = dot_four(ws, t, last, block, COLS);
  (*sums).a0 += low[0];
  (*sums).b0 += low[1];
  if (COLS > 4u) {
    // Uniform.
    if (t + 4u <= last) {
      let high = dot_four(ws, t + 4u, last, block, COLS - 4u);
      (*sums).a1 += high[0];
      (*sums).b1 += high[1];
    }
  }
}

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

fn keep_sums(group: Group, place: Place, sums: ptr<function, Sums>) {
  keep_row(group, place, 0u, (*sums).a0, (*sums).a1);
  if (LANE_ROWS == 2u) {
    keep_row(group, place, 1u, (*sums).b0, (*sums).b1);
  }
}
