// Which tiles of a row can hold a token that is kept.
// Needs `tiles`. Workgroup memory: TILES / 32 + 1 words. Consts: WG, TILES, BINS.
// Parts: sample/candidate, sample/weight, sample/wide, sample/bins, sample/search, loop.

const LIVE_WORDS = (TILES + 31) / 32;

/// Tiles that can matter: a bit for each.
var<workgroup> live: array<atomic<u32>, LIVE_WORDS>;
/// The K-th of the tiles' largest keys: top-k keeps nothing below it.
var<workgroup> live_floor: atomic<u32>;

/// The bin of a tile: lower ones come first.
fn live_bin(tile: u32) -> u32 {
  return BINS - 1 - tile;
}

/// Bins of all tiles: the weight of the largest token, where the row's is 2^31, and the mass. Finds the floor for `top_k`, unless 0.
fn live_weigh(what: Searched, top_k: u32, lane: u32) {
  let row = what.row;
  for (var tile = lane; tile < upto(TILES); tile += WG) {
    let own = tiles[row * TILES + tile];
    let weight = select(0u, weight_of(what.top, candidate_value(own.x), what.scale), own.x > CANDIDATE_LOWEST_KEY);
    bins_set(live_bin(tile), vec3<u32>(weight, wide_scaled(own.z, weight)));
    if (top_k > 0 && top_k <= TILES) {
      var above = 0u;
      for (var other = 0u; other < upto(TILES); other++) {
        above += select(0u, 1u, tiles[row * TILES + other].x >= own.x);
      }
      if (above >= top_k) {
        atomicMax(&live_floor, own.x);
      }
    }
  }
}

/// Lists the tiles whose largest token has at least the weight `least` and the key `floor_`. Their bins are those of `live_weigh`.
fn live_find(row: u32, floor_: u32, least: u32, lane: u32) {
  for (var tile = lane; tile < upto(TILES); tile += WG) {
    if (tiles[row * TILES + tile].x >= floor_ && atomicLoad(&bins_count[live_bin(tile)]) >= max(least, 1)) {
      atomicOr(&live[tile / 32], 1u << (tile % 32));
    }
  }
}

/// Leaves one tile.
fn live_take(tile: u32, lane: u32) {
  for (var word = lane; word < upto(LIVE_WORDS); word += WG) {
    atomicStore(&live[word], select(0u, 1u << (tile % 32), word == tile / 32));
  }
}
