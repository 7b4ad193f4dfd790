// Where the most likely tokens of a row end: a radix selection over (key, id upside down), a byte a pass, by their number (top-k) or by
// the sum of their weights (top-p). At most 7 passes over the tiles that can matter, usually 2 or 3, and never a sort.
// Needs `tiles`, `candidates(row, i, flags)`. Workgroup memory: 330 words. Consts: WG, COLS, STRIDE, TILES, TILE_FOURS.
// Parts: sample/candidate, sample/weight, sample/wide, sample/live, loop.

/// Tokens whose masked (key, id upside down) is at least the prefix; `mask` 0 keeps all.
struct Bound {
  mask: vec2<u32>,
  prefix: vec2<u32>,
  /// What is still to take among those that equal the prefix: tokens, or weight.
  wanted: vec2<u32>,
  /// Of the weight that the first pass finds, in units of 2^-24: `wanted` if not 0.
  share: u32,
  by_mass: u32,
  done: u32,
}

var<workgroup> search_counts: array<atomic<u32>, 256>;
/// Count and weight of 16 bins.
var<workgroup> search_groups: array<vec4<u32>, 16>;
var<workgroup> search_bound: Bound;

fn bound_none() -> Bound {
  return Bound(vec2<u32>(), vec2<u32>(), vec2<u32>(), 0, 0, 1);
}

/// A search for something, or for one if that is nothing.
fn bound_start(wanted: vec2<u32>, share: u32, by_mass: u32) -> Bound {
  return Bound(vec2<u32>(), vec2<u32>(), select(wanted, vec2<u32>(1, 0), all(wanted == vec2<u32>())), share, by_mass, 0);
}

/// Ids of four columns upside down: lower ids are larger.
fn bound_ranks(col4: u32) -> vec4<u32> {
  return ~(4 * col4 + vec4<u32>(0, 1, 2, 3)) & vec4<u32>(0xffffff);
}

fn bound_keeps(bound: Bound, keys: vec4<u32>, ranks: vec4<u32>) -> vec4<bool> {
  let key = keys & vec4<u32>(bound.mask.x);
  let equal = key == vec4<u32>(bound.prefix.x);
  return (key > vec4<u32>(bound.prefix.x)) | (equal & ((ranks & vec4<u32>(bound.mask.y)) >= vec4<u32>(bound.prefix.y)));
}

/// Counts the tokens at the bound by their next byte, and sums their weights; `byte` 0 to 3 are the key's, 4 to 6 the id's.
fn search_bins(what: Searched, low: Bound, current: Bound, at: vec2<u32>) {
  let shift = vec4<u32>(select(24 - 8 * min(at.x, 3), 48 - 8 * max(at.x, 4), at.x > 3));
  let least = vec4<u32>(live_least());
  for (var n = 0u; n < atomicLoad(&live_count); n++) {
    let tile = live[n];
    if ((tiles[what.row * TILES + tile].x & current.mask.x) < current.prefix.x) {
      continue;
    }
    let end = min((tile + 1) * TILE_FOURS, STRIDE);
    for (var i = tile * TILE_FOURS + at.y; i < end; i += WG) {
      let bits = candidates(what.row, i, what.flags);
      let keys = candidate_keys(bits, i);
      let ranks = bound_ranks(i);
      let here = ((keys & vec4<u32>(current.mask.x)) == vec4<u32>(current.prefix.x))
        & ((ranks & vec4<u32>(current.mask.y)) == vec4<u32>(current.prefix.y))
        & (keys >= least) & bound_keeps(low, keys, ranks);
      if (!any(here)) {
        continue;
      }
      let digits = (select(keys, ranks, at.x > 3) >> shift) & vec4<u32>(255);
      var own = vec4<u32>();
      if (current.by_mass == 1) {
        own = weights(what.top, bitcast<vec4<f32>>(bits), what.scale);
      }
      for (var c = 0u; c < upto(4); c++) {
        if (here[c]) {
          atomicAdd(&search_counts[digits[c]], 1);
          if (own[c] > 0) {
            wide_add_to(digits[c], vec2<u32>(own[c], 0));
          }
        }
      }
    }
  }
}

/// The least number of tokens of one weight that have a mass: at most `count`.
fn search_tokens(mass: vec2<u32>, weight: u32, count: u32) -> u32 {
  var least = 1u;
  var most = count;
  while (least < most) {
    let middle = (least + most) / 2;
    let less = wide_less(wide_mul(weight, middle), mass);
    least = select(least, middle + 1, less);
    most = select(middle, most, less);
  }
  return least;
}

/// Tokens and weight of a bin as (count, weight).
fn search_bin(bin: u32) -> vec4<u32> {
  return vec4<u32>(atomicLoad(&search_counts[bin]), wide_at(bin), 0);
}

fn search_sum(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
  return vec4<u32>(a.x + b.x, wide_add(a.yz, b.yz), 0);
}

/// One lane: the byte at which what lies above reaches what is wanted; groups of bins first, then bins.
fn search_tighten(what: Searched, byte: u32) {
  let by_mass = search_bound.by_mass == 1;
  if (byte == 0 && search_bound.share > 0) {
    var all = vec4<u32>();
    for (var group = 0u; group < upto(16); group++) {
      all = search_sum(all, search_groups[group]);
    }
    search_bound.wanted = bound_start(wide_share(all.yz, search_bound.share), 0, 1).wanted;
  }
  let wanted = search_bound.wanted;
  var above = vec4<u32>();
  var next = vec4<u32>();
  // From 31 to 16: groups; from there on the 16 bins of one.
  var at = upto(32);
  var group = 0u;
  while (at > 0) {
    at--;
    next = search_sum(above, search_groups[at % 16]);
    if (at < 16) {
      next = search_sum(above, search_bin(16 * group + at));
    }
    let reached = !wide_less(select(vec2<u32>(next.x, 0), next.yz, by_mass), wanted);
    if (reached && at < 16) {
      break;
    }
    if (reached) {
      group = at - 16;
      at = 16;
    } else if (at == 16) {
      // Less than wanted, which only the first byte can show: all of them.
      search_bound.done = 1;
      return;
    } else {
      above = next;
    }
  }
  let digit = 16 * group + at;
  if (byte < 4) {
    search_bound.mask.x |= 255u << (24 - 8 * byte);
    search_bound.prefix.x |= digit << (24 - 8 * byte);
  } else {
    search_bound.mask.y |= 255u << (48 - 8 * byte);
    search_bound.prefix.y |= digit << (48 - 8 * byte);
  }
  let count = next.x - above.x;
  var left = wide_sub(wanted, select(vec2<u32>(above.x, 0), above.yz, by_mass));
  if (by_mass && byte == 3) {
    // One key is left, and one weight: their number decides.
    left = vec2<u32>(search_tokens(left, weight_of(what.top, candidate_value(search_bound.prefix.x), what.scale), count), 0);
    search_bound.by_mass = 0;
  }
  search_bound.wanted = left;
  let whole = select(left.x == count, count == 1, search_bound.by_mass == 1);
  search_bound.done = select(0u, 1u, whole || byte == 6);
}

/// The bound of the most likely tokens above `low` that reach what is wanted. Uniform; every lane gets it.
fn search(what: Searched, low: Bound, start: Bound, lane: u32) -> Bound {
  if (lane == 0) {
    search_bound = start;
  }
  var current = workgroupUniformLoad(&search_bound);
  for (var byte = 0u; byte < upto(7); byte++) {
    if (current.done == 1) {
      break;
    }
    for (var i = lane; i < upto(256); i += WG) {
      atomicStore(&search_counts[i], 0);
      wide_set(i, vec2<u32>());
    }
    workgroupBarrier();
    search_bins(what, low, current, vec2<u32>(byte, lane));
    workgroupBarrier();
    for (var group = lane; group < upto(16); group += WG) {
      var sum = vec4<u32>();
      for (var bin = 0u; bin < upto(16); bin++) {
        sum = search_sum(sum, search_bin(16 * group + bin));
      }
      search_groups[group] = sum;
    }
    workgroupBarrier();
    if (lane == 0) {
      search_tighten(what, byte);
    }
    current = workgroupUniformLoad(&search_bound);
  }
  return current;
}
