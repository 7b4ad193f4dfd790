// The tokens of a row by a digit of their key or id. Tokens are ordered by (key, id upside down), as two words.
// Needs `tiles`, `candidates(row, i, flags)`. Consts: WG, COLS, STRIDE, TILES, TILE_FOURS.
// Parts: sample/candidate, sample/weight, sample/bins, sample/live, loop.

/// A row that is searched.
struct Searched {
  row: u32,
  flags: u32,
  top: f32,
  scale: f32,
}

/// Tokens from `least` on whose masked words are the prefix, and which digit of them is looked at.
struct Digit {
  least: vec2<u32>,
  mask: vec2<u32>,
  prefix: vec2<u32>,
  shift: u32,
  of_id: bool,
}

/// Ids of four columns upside down: lower ids are larger.
fn search_ranks(col4: u32) -> vec4<u32> {
  return ~(4 * col4 + vec4<u32>(0, 1, 2, 3)) & vec4<u32>(0xffffff);
}

/// What of the tokens goes into bins.
struct Into {
  count: bool,
  mass: bool,
  /// Whether four neighbours have one bin.
  fours: bool,
  /// Weights are those below the tile's largest token, not below the row's.
  of_tile: bool,
  /// Least weight.
  weight: u32,
}

/// Fills bins with the tokens of live tiles.
fn search_fill(what: Searched, digit: Digit, into: Into, lane: u32) {
  for (var word = 0u; word < upto(LIVE_WORDS); word++) {
    for (var rest = atomicLoad(&live[word]); rest != 0; rest &= rest - 1) {
      let tile = 32 * word + countTrailingZeros(rest);
      let largest = tiles[what.row * TILES + tile].x;
      if (largest < max(digit.prefix.x, digit.least.x)) {
        continue;
      }
      let top = select(what.top, candidate_value(largest), into.of_tile);
      let end = min((tile + 1) * TILE_FOURS, STRIDE);
      for (var i = tile * TILE_FOURS + lane; i < end; i += WG) {
        search_four(what, digit, into, i, top);
      }
    }
  }
}

/// Four tokens of them.
fn search_four(what: Searched, digit: Digit, into: Into, i: u32, top: f32) {
  let candidate = candidates(what.row, i, what.flags);
  let keys = candidate_keys(candidate, i);
  let ranks = search_ranks(i);
  var here = ((keys & vec4<u32>(digit.mask.x)) == vec4<u32>(digit.prefix.x))
    & ((ranks & vec4<u32>(digit.mask.y)) == vec4<u32>(digit.prefix.y))
    & ((keys > vec4<u32>(digit.least.x)) | ((keys == vec4<u32>(digit.least.x)) & (ranks >= vec4<u32>(digit.least.y))));
  if (!any(here)) {
    return;
  }
  let bins = (select(keys, ranks, digit.of_id) >> vec4<u32>(digit.shift)) & vec4<u32>(BINS - 1);
  var own = vec4<u32>();
  var high = 0u;
  var count = 4u;
  if (into.mass) {
    own = weights(top, bitcast<vec4<f32>>(candidate), what.scale);
    own = select(vec4<u32>(), own, here & (own >= vec4<u32>(into.weight)));
  }
  if (into.fours) {
    let sum = wide_add(wide_add(vec2<u32>(own.x, 0), vec2<u32>(own.y, 0)), wide_add(vec2<u32>(own.z, 0), vec2<u32>(own.w, 0)));
    own.x = sum.x;
    high = sum.y;
    here.x = true;
    count = 1;
  }
  for (var c = 0u; c < upto(count); c++) {
    if (here[c]) {
      if (into.count) {
        atomicAdd(&bins_count[bins[c]], 1);
      }
      if ((own[c] | high) != 0) {
        bins_add_mass(bins[c], vec2<u32>(own[c], high));
      }
    }
  }
}
