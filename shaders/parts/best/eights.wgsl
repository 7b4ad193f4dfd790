// The largest of every eight columns of a matrix-vector product, as bits: negative infinity is the least, and of eight with a NaN it is
// positive infinity. note_best, close_best: as in none.wgsl; close_best is called in uniform control flow.
// Workgroup memory: COLS * OWNED words, one barrier.
// Bindings: best array<u32> [rows, BEST_STRIDE]. Consts: WG, COLS, OWNED (a multiple of 8), N, OUT_START (a multiple of 8), BEST_STRIDE,
// BEST_TAIL: where the padding to zero begins.

var<workgroup> best_keys: array<u32, COLS * OWNED>;

/// Words that compare as the values do; a column that is not there stays 0.
fn note_best(at: u32, value: f32) {
  let bits = bitcast<u32>(value);
  let key = select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
  best_keys[at] = select(key, 0xff800000u, (bits & 0x7fffffffu) > 0x7f800000u);
}

fn close_best(lane: u32, t: u32, first: u32, cols: u32) {
  workgroupBarrier();
  for (var i = lane; i < cols * (OWNED / 8u); i += WG) {
    let c = i / (OWNED / 8u);
    let eight = i % (OWNED / 8u);
    let col = first + 8u * eight;
    if (col < N) {
      var key = 0u;
      for (var n = 0u; n < 8u; n++) {
        key = max(key, best_keys[c * OWNED + 8u * eight + n]);
      }
      best[(t + c) * BEST_STRIDE + (OUT_START + col) / 8u] = select(~key, key & 0x7fffffffu, key >= 0x80000000u);
    }
  }
  if (first + OWNED >= N && lane < cols) {
    for (var col = BEST_TAIL; col < BEST_STRIDE; col++) {
      best[(t + lane) * BEST_STRIDE + col] = 0u;
    }
  }
}
