// The passes that find where top-k and top-p cut and which token is drawn: for each, bins of tokens or tiles by a digit, and the digit
// that is wanted. The draw is the same search, for the mass that comes before a random number in the order of ids: src/sampling/draw.ts.
// Workgroup memory: 1 word. Consts: COLS, BINS, BIN_BITS. Parts: all others of sample.

const PASSES_KEY = (31 + BIN_BITS) / BIN_BITS;
const PASSES_ID = (23 + BIN_BITS) / BIN_BITS;
/// Each digit of key and id at which top-k cuts.
const PASS_K = 0u;
/// The same for top-p.
const PASS_P = PASSES_KEY + PASSES_ID;
/// The draw's: tile, tile again when all masses are in 32 bits, part of a tile, token.
const PASS_TILE = 2 * PASS_P;
const PASS_SHIFTED = PASS_TILE + 1;
const PASS_PART = PASS_TILE + 2;
const PASS_TOKEN = PASS_TILE + 3;
const PASS_DONE = PASS_TILE + 4;
/// The first: masses of all tiles.
const PASS_WHOLE = PASS_TILE + 5;
/// A share of the sum of all bins.
const PASSES_UNKNOWN = vec2<u32>(0xffffffffu);

var<workgroup> passes_next: u32;

/// Which digit a pass looks at.
fn passes_digit(now: u32, before: Digit) -> Digit {
  var digit = before;
  if (now >= PASS_TILE) {
    digit.of_id = true;
    digit.shift = select(select(10u, max(2, 10 - BIN_BITS), now == PASS_PART), 0u, now == PASS_TOKEN);
  } else {
    let at = now % PASS_P;
    digit.of_id = at >= PASSES_KEY;
    let bits = select(32u, 24 + BIN_BITS * PASSES_KEY, digit.of_id);
    digit.shift = bits - min(bits, BIN_BITS * (at + 1));
  }
  return digit;
}

/// The digit, and all above it taken in.
fn passes_narrowed(digit: Digit, found: u32) -> Digit {
  let bits = vec2<u32>(BINS - 1, found) << vec2<u32>(digit.shift);
  var result = digit;
  if (digit.of_id) {
    result.mask.y |= bits.x;
    result.prefix.y |= bits.y;
  } else {
    result.mask.x |= bits.x;
    result.prefix.x |= bits.y;
  }
  return result;
}

/// What is kept from a search on.
fn passes_cut(digit: Digit) -> Digit {
  let higher = (digit.prefix.x > digit.least.x) | ((digit.prefix.x == digit.least.x) & (digit.prefix.y > digit.least.y));
  return Digit(select(digit.least, digit.prefix, higher), vec2<u32>(), vec2<u32>(), 0, false);
}

/// Finds what is wanted, or what share of the bins that is, first.
fn passes_find(now: u32, aim: Aim, rule: Rule) -> Found {
  var sought = aim;
  var found = Found();
  for (var known = false; !known;) {
    known = sought.wanted.y != PASSES_UNKNOWN.y;
    found = bins_walk(sought, now < PASS_P);
    if (!known) {
      // Tiles have their masses in half the unit of weights.
      let mass = wide_shift(found.above.yz, select(0u, 1u, now == PASS_WHOLE));
      sought.wanted = wide_share(mass, select(rule.top_p24, unit_of(rule), now == PASS_SHIFTED));
      if (now == PASS_SHIFTED || all(sought.wanted == vec2<u32>())) {
        sought.wanted.x += 1;
      }
      found.wanted = sought.wanted;
      known = (now == PASS_WHOLE) | (now == PASS_TILE);
    }
  }
  return found;
}

/// The least weight of a tile's largest token with which the tile can matter, from the first pass.
fn passes_least(found: Found, rule: Rule, cuts_p: bool) -> u32 {
  // With top-k, top-p is of the weight of all that it keeps, lighter than min-p or not.
  var least = select(rule.least, 0u, cuts_p & (rule.top_k > 0));
  if (cuts_p & (rule.top_k == 0) & (rule.top_p24 < (255u << 16))) {
    // Of the whole row. Tiles below min-p are not looked at: if all above it are not enough, all above it are kept. Nor are tiles so
    // light that all tokens of the vocabulary at their largest weight make half of what may be left out.
    let spare = wide_shift(wide_sub(wide_shift(found.above.yz, 1), found.wanted), 33 - countLeadingZeros(COLS));
    least = max(least, select(spare.x, 0x80000000u, spare.y > 0));
  }
  return least;
}

/// Bins of a pass, and of 16 of them. Uniform.
fn passes_fill(now: u32, what: Searched, digit: Digit, rule: Rule, cut: bool, shift: u32, lane: u32) {
  if (now != PASS_SHIFTED) {
    for (var bin = lane; bin < upto(BINS); bin += WG) {
      bins_set(bin, vec3<u32>());
    }
    workgroupBarrier();
    if (now == PASS_WHOLE) {
      live_weigh(what, rule.top_k, lane);
    } else {
      let draws = now >= PASS_TILE;
      search_fill(what, digit, Into(!draws, now >= PASS_P, draws & (now != PASS_TOKEN), draws & !cut, select(0u, rule.least, draws)), lane);
    }
    workgroupBarrier();
  }
  bins_group(shift, lane);
  workgroupBarrier();
}

/// The token, in every lane, if one is `drawn`. Uniform: all lanes keep the same books, and `passes_next` tells compilers so.
fn sampled(what: Searched, rule: Rule, drawn: bool, lane: u32) -> u32 {
  let cuts_p = rule.top_p24 < (1u << 24);
  let cut = (rule.top_k > 0) | cuts_p | (rule.least > 1);
  var digit = Digit();
  var aim = Aim(PASSES_UNKNOWN, vec3<u32>(), 0, 0);
  if (lane == 0) {
    passes_next = select(PASS_DONE, PASS_WHOLE, drawn);
  }
  for (var now = workgroupUniformLoad(&passes_next); now != PASS_DONE; now = workgroupUniformLoad(&passes_next)) {
    digit = passes_digit(now, digit);
    passes_fill(now, what, digit, rule, cut, aim.shift, lane);
    let found = passes_find(now, aim, rule);
    if (found.found) {
      digit = passes_narrowed(digit, found.digit);
      aim.base = found.above;
      aim.wanted = found.wanted;
    }
    var next = now + 1;
    if (now == PASS_WHOLE) {
      digit.least.x = max(atomicLoad(&live_floor), CANDIDATE_LOWEST_KEY + 1);
      live_find(what.row, digit.least.x, passes_least(found, rule, cuts_p), lane);
      next = select(select(PASS_TILE, PASS_P, cuts_p), PASS_K, rule.top_k > 0);
      aim.wanted = select(select(PASSES_UNKNOWN, found.wanted, cuts_p), vec2<u32>(rule.top_k, 0), rule.top_k > 0);
    } else if (now < PASS_TILE && (!found.found || found.whole || next % PASS_P == 0)) {
      next = select(PASS_TILE, PASS_P, cuts_p & (now < PASS_P));
      digit = passes_cut(digit);
      aim = Aim(PASSES_UNKNOWN, vec3<u32>(), 0, 0);
    }
    if (now == PASS_TILE || (now == PASS_WHOLE && !cut)) {
      next = PASS_SHIFTED;
      aim.shift = 32 - countLeadingZeros(found.above.z);
    }
    if (now == PASS_SHIFTED) {
      // Inside the tile masses are in the unit of weights again.
      let left = aim.wanted.x - found.above.y;
      let wanted = vec2<u32>(left << aim.shift, select(0u, left >> ((32 - aim.shift) & 31), aim.shift > 0));
      aim = Aim(wanted, vec3<u32>(), 0, select(found.count, 0u, cut));
      live_take(BINS - 1 - found.digit, lane);
    }
    if (lane == 0) {
      passes_next = next;
    }
  }
  return ~digit.prefix.y & (1024 * BINS - 1);
}
