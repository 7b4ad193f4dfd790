// The sums of a lane of gemv.wgsl in an array that a loop indexes: for software drivers, which take ten seconds to compile what
// parts/sums/named repeats for each activation row.
// Sums; add_block: a block's products with activation rows t to t + COLS - 1, as far as there are; keep_sums: for parts/lanes.
// Consts: COLS, LANE_ROWS. Parts: lanes, loop.

/// (First weight row, second) of each activation row.
alias Sums = array<vec2<f32>, COLS>;

fn add_block(sums: ptr<function, Sums>, ws: Pair, t: u32, last: u32, block: u32) {
  for (var c = 0u; c < min(upto(COLS), last + 1u - t); c++) {
    (*sums)[c] += dot_pair(ws, t + c, block);
  }
}

fn keep_sums(group: Group, place: Place, sums: ptr<function, Sums>) {
  for (var c = 0u; c < upto(COLS); c++) {
    keep(group, place, c * LANE_ROWS, (*sums)[c].x);
    if (LANE_ROWS == 2u) {
      keep(group, place, c * LANE_ROWS + 1u, (*sums)[c].y);
    }
  }
}
