// One draw: the inverse of the cumulative distribution in order of id, a tile first, then a token in it. src/sampling/draw.ts, step for step.
// Needs `tiles`, `live`, `live_count`, `candidates(row, i, flags)`. Workgroup memory: 2 TILES + 7 words.
// Consts: WG, COLS, STRIDE, TILES, TILE_FOURS. Parts: sample/candidate, sample/weight, sample/wide, sample/live, sample/search, loop.

/// What is drawn from.
struct Drawn {
  what: Searched,
  /// Whether tokens were cut; else the tiles' own masses are those of all tokens.
  cut: bool,
  low: Bound,
  nucleus: Bound,
  /// Least weight.
  least: u32,
  /// 24 random bits.
  unit: u32,
}

/// Sums of the low and high halves of a tile's kept weights; then its mass as one number.
var<workgroup> draw_low: array<atomic<u32>, TILES>;
var<workgroup> draw_high: array<atomic<u32>, TILES>;
var<workgroup> draw_total: atomic<u32>;
/// Tile, and what is left of the mass inside it.
var<workgroup> draw_place: vec2<u32>;
/// Lane whose tokens hold the draw, and the sum of the weights before it.
var<workgroup> draw_lane: vec3<u32>;
var<workgroup> draw_token: u32;

/// Weights of four tokens of a tile, zero where they are cut.
fn draw_weights(from_: Drawn, i: u32, top: f32) -> vec4<u32> {
  let bits = candidates(from_.what.row, i, from_.what.flags);
  let keys = candidate_keys(bits, i);
  var own = weights(top, bitcast<vec4<f32>>(bits), from_.what.scale);
  own = select(vec4<u32>(), own, keys >= vec4<u32>(live_least()));
  if (from_.cut) {
    let ranks = bound_ranks(i);
    let kept = bound_keeps(from_.low, keys, ranks) & bound_keeps(from_.nucleus, keys, ranks) & (own >= vec4<u32>(from_.least));
    own = select(vec4<u32>(), own, kept);
  }
  return own;
}

/// Halves of the kept weights of the live tiles; nothing else is in those sums.
fn draw_sum(from_: Drawn, lane: u32) {
  for (var n = 0u; n < atomicLoad(&live_count); n++) {
    let tile = live[n];
    let end = min((tile + 1) * TILE_FOURS, STRIDE);
    for (var i = tile * TILE_FOURS + lane; i < end; i += WG) {
      let own = draw_weights(from_, i, from_.what.top);
      if (any(own != vec4<u32>())) {
        let low = own & vec4<u32>(0xffff);
        let high = own >> vec4<u32>(16);
        atomicAdd(&draw_low[tile], low.x + low.y + low.z + low.w);
        atomicAdd(&draw_high[tile], high.x + high.y + high.z + high.w);
      }
    }
  }
}

/// Lane 0: the tile of the draw; `total` has 32 bits or less.
fn draw_tile(total: u32, shift: u32, unit: u32) {
  var left = wide_share(vec2<u32>(total, 0), unit).x;
  var tile = 0u;
  for (; tile < upto(TILES - 1); tile++) {
    let mass = wide_shift(vec2<u32>(atomicLoad(&draw_low[tile]), atomicLoad(&draw_high[tile])), shift).x;
    if (left < mass) {
      break;
    }
    left -= mass;
  }
  draw_place = vec2<u32>(tile, left);
}

/// Whether the cumulative mass of a tile up to a sum of weights exceeds what is left.
fn draw_exceeds(cut: bool, sum: vec2<u32>, weight: u32, at: vec2<u32>) -> bool {
  let mass = select(wide_scaled(wide_shift(sum, 10).x, weight), sum, cut);
  return wide_shift(mass, at.x).x > at.y;
}

/// Masses of all tiles; the place of the draw. Uniform; every lane gets (shift, tile, what is left).
fn draw_from_tiles(from_: Drawn, lane: u32) -> vec3<u32> {
  for (var tile = lane; tile < upto(TILES); tile += WG) {
    var mass = vec2<u32>();
    if (!from_.cut) {
      let own = tiles[from_.what.row * TILES + tile];
      mass = wide_scaled(own.z, live_weight(own, from_.what.top, from_.what.scale));
    }
    atomicStore(&draw_low[tile], mass.x);
    atomicStore(&draw_high[tile], mass.y);
  }
  if (lane == 0) {
    wide_set(0, vec2<u32>());
    atomicStore(&draw_total, 0);
  }
  workgroupBarrier();
  if (from_.cut) {
    draw_sum(from_, lane);
  }
  workgroupBarrier();
  for (var tile = lane; tile < upto(TILES); tile += WG) {
    var mass = vec2<u32>(atomicLoad(&draw_low[tile]), atomicLoad(&draw_high[tile]));
    if (from_.cut) {
      mass = wide_add(vec2<u32>(mass.x, 0), vec2<u32>(mass.y << 16, mass.y >> 16));
      atomicStore(&draw_low[tile], mass.x);
      atomicStore(&draw_high[tile], mass.y);
    }
    wide_add_to(0, mass);
  }
  workgroupBarrier();
  let shift = 32 - countLeadingZeros(wide_at(0).y);
  for (var tile = lane; tile < upto(TILES); tile += WG) {
    atomicAdd(&draw_total, wide_shift(vec2<u32>(atomicLoad(&draw_low[tile]), atomicLoad(&draw_high[tile])), shift).x);
  }
  workgroupBarrier();
  if (lane == 0) {
    draw_tile(atomicLoad(&draw_total), shift, from_.unit);
  }
  return vec3<u32>(shift, workgroupUniformLoad(&draw_place));
}

/// The token, in every lane. Uniform.
fn draw(from_: Drawn, lane: u32) -> u32 {
  let place = draw_from_tiles(from_, lane);
  let tile = tiles[from_.what.row * TILES + place.y];
  let weight = live_weight(tile, from_.what.top, from_.what.scale);
  let top = select(candidate_value(tile.x), from_.what.top, from_.cut);
  // Each lane has consecutive tokens: it sums them first, then the one that holds the draw walks through its own.
  let fours = TILE_FOURS / WG;
  let start = place.y * TILE_FOURS + lane * fours;
  var sum = vec2<u32>();
  for (var round = 0u; round < upto(2); round++) {
    if (round == 0 || lane == draw_lane.x) {
      for (var i = start; i < min(start + upto(fours), STRIDE); i++) {
        let own = draw_weights(from_, i, top);
        for (var c = 0u; c < upto(4); c++) {
          let before = sum;
          sum = wide_add(sum, vec2<u32>(own[c], 0));
          if (round == 1 && own[c] > 0 && draw_exceeds(from_.cut, sum, weight, place.xz) && !draw_exceeds(from_.cut, before, weight, place.xz)) {
            draw_token = 4 * i + c;
          }
        }
      }
    }
    if (round == 0) {
      wide_set(lane, sum);
    }
    workgroupBarrier();
    if (round == 0 && lane == 0) {
      var before = vec2<u32>();
      var holder = 0u;
      for (; holder < upto(WG - 1); holder++) {
        let next = wide_add(before, wide_at(holder));
        if (draw_exceeds(from_.cut, next, weight, place.xz)) {
          break;
        }
        before = next;
      }
      draw_lane = vec3<u32>(holder, before);
    }
    sum = workgroupUniformLoad(&draw_lane).yz;
  }
  return workgroupUniformLoad(&draw_token);
}
