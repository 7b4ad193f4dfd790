// Which tiles of a row can hold a token that is kept, and the mass of all of them.
// Needs `tiles`. Workgroup memory: TILES + 2 words. Consts: WG, COLS, TILES. Parts: sample/candidate, sample/weight, sample/wide, loop.

/// A row that is searched.
struct Searched {
  row: u32,
  flags: u32,
  top: f32,
  scale: f32,
}

/// Tiles that can matter, in any order.
var<workgroup> live: array<u32, TILES>;
var<workgroup> live_count: atomic<u32>;
/// The K-th of the tiles' largest keys: top-k keeps nothing below it.
var<workgroup> live_floor: atomic<u32>;

/// Tokens of smaller keys are neither counted nor drawn: a bound that is found from the rest may hold for some of them, too.
fn live_least() -> u32 {
  return max(atomicLoad(&live_floor), CANDIDATE_LOWEST_KEY + 1);
}

/// The weight of a tile's largest token where the row's is 2^31.
fn live_weight(tile: vec4<u32>, top: f32, scale: f32) -> u32 {
  return select(0u, weight_of(top, candidate_value(tile.x), scale), tile.x > CANDIDATE_LOWEST_KEY);
}

/// Half the sum of the tiles' masses, in the unit of weights. Uniform; every lane gets it.
fn live_mass(what: Searched, lane: u32) -> vec2<u32> {
  if (lane == 0) {
    wide_set(0, vec2<u32>());
  }
  workgroupBarrier();
  for (var tile = lane; tile < upto(TILES); tile += WG) {
    let own = tiles[what.row * TILES + tile];
    wide_add_to(0, wide_scaled(own.z, live_weight(own, what.top, what.scale)));
  }
  workgroupBarrier();
  return wide_shift(wide_at(0), 1);
}

/// Lists the tiles whose largest token has at least the weight `least`, and one of the `top_k` (unless 0) largest keys. Uniform.
fn live_find(what: Searched, top_k: u32, least: u32, lane: u32) {
  let row = what.row;
  if (top_k > 0 && top_k <= TILES) {
    for (var tile = lane; tile < upto(TILES); tile += WG) {
      let key = tiles[row * TILES + tile].x;
      var above = 0u;
      for (var other = 0u; other < upto(TILES); other++) {
        above += select(0u, 1u, tiles[row * TILES + other].x >= key);
      }
      if (above >= top_k) {
        atomicMax(&live_floor, key);
      }
    }
  }
  workgroupBarrier();
  for (var tile = lane; tile < upto(TILES); tile += WG) {
    let own = tiles[row * TILES + tile];
    if (own.x >= atomicLoad(&live_floor) && live_weight(own, what.top, what.scale) >= max(least, 1)) {
      live[atomicAdd(&live_count, 1)] = tile;
    }
  }
  workgroupBarrier();
}
