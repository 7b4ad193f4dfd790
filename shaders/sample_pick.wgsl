// One token of each output row: (id, bits of the raw logit, flag, counter).
// logits, z [output rows, STRIDE] in vec4 of bits; tiles [output rows, TILES]; sampling, adjust: base/layout.ts; chosen [output rows].
// Grid: (output rows), one workgroup per row. Workgroup memory: 3 TILES + 870 words: within 16 KiB up to 2^19 tokens.
// Consts: WG (a power of two up to 256), COLS, STRIDE, TILES, TILE_FOURS, SLOT_WORDS, MASK_WORDS.
// Parts: sample/candidate, sample/weight, sample/wide, sample/live, sample/search, sample/draw, loop.
// CPU drivers run it too, with few lanes: it runs once a token, and alone.

/// A slot's options.
struct Rule {
  slot: u32,
  flags: u32,
  greedy: u32,
  top_k: u32,
  top_p24: u32,
  least: u32,
  scale: f32,
  seed: u32,
  counter: u32,
}
/// Key and id of the row's largest candidate, and the flags of all tiles.
struct Best {
  key: u32,
  id: u32,
  flags: u32,
}

var<workgroup> rule_: Rule;
var<workgroup> best_: Best;
var<workgroup> flags_: atomic<u32>;

fn rule_of(slot: u32) -> Rule {
  let at = slot * SLOT_WORDS;
  let k = sampling[at + 1];
  let greedy = select(0u, 1u, ((sampling[at] & 0x7fffffff) == 0) | (k == 1));
  return Rule(slot, sampling[at + 9], greedy, select(0u, k, k < COLS), sampling[at + 31], sampling[at + 30],
    bitcast<f32>(sampling[at + 28]), sampling[at + 7], sampling[at + 8]);
}

/// Four candidates; `sample_tiles` left z alone where nothing changes them.
fn candidates(row: u32, i: u32, flags: u32) -> vec4<u32> {
  if (flags == 0) {
    return candidate_raw(logits[row * STRIDE + i]);
  }
  return z[row * STRIDE + i];
}

/// PCG-RXS-M-XS 32, as src/base/rng.ts.
fn pcg_hash(input: u32) -> u32 {
  let state = input * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28) + 4)) ^ state) * 277803737u;
  return (word >> 22) ^ word;
}

/// The largest candidate of the row; the lowest id of equals.
fn find_best(row: u32, lane: u32) {
  var own = vec2<u32>();
  for (var tile = lane; tile < upto(TILES); tile += WG) {
    let next = tiles[row * TILES + tile];
    atomicOr(&flags_, next.w);
    own = select(own, next.xy, next.x > own.x);
  }
  wide_set(lane, own);
  workgroupBarrier();
  for (var half = WG / 2u; half > upto(0); half /= 2u) {
    if (lane < half) {
      let a = wide_at(lane);
      let b = wide_at(lane + half);
      wide_set(lane, select(b, a, (a.x > b.x) | ((a.x == b.x) & (a.y < b.y))));
    }
    workgroupBarrier();
  }
  if (lane == 0) {
    best_ = Best(atomicLoad(&wide_low[0]), atomicLoad(&wide_high[0]), atomicLoad(&flags_));
  }
}

/// The token, in every lane. Uniform.
fn sample(row: u32, rule: Rule, best: Best, lane: u32) -> u32 {
  let what = Searched(row, rule.flags, candidate_value(best.key), rule.scale);
  let cuts_p = rule.top_p24 < (1u << 24);
  let cut = rule.top_k > 0 || cuts_p || rule.least > 1;
  var low = bound_none();
  var nucleus = bound_none();
  if (cut) {
    // With top-k, top-p is of the weight of all that it keeps, lighter than min-p or not.
    var least = select(rule.least, 0u, cuts_p && rule.top_k > 0);
    var wanted = vec2<u32>();
    if (cuts_p && rule.top_k == 0) {
      // Of the whole row. Tiles below min-p are not looked at: if all above it are not enough, all above it are kept. Nor are tiles so
      // light that all tokens of the vocabulary at their largest weight make half of what may be left out.
      let mass = live_mass(what, lane);
      wanted = wide_share(mass, rule.top_p24);
      if (rule.top_p24 < (255u << 16)) {
        let spare = wide_shift(wide_sub(mass, wanted), 33 - countLeadingZeros(COLS));
        least = max(least, select(spare.x, 0x80000000u, spare.y > 0));
      }
    }
    live_find(what, rule.top_k, least, lane);
    for (var by_mass = select(1u, 0u, rule.top_k > 0); by_mass < select(1u, 2u, cuts_p); by_mass++) {
      if (by_mass == 0) {
        wanted = vec2<u32>(rule.top_k, 0);
      }
      let share = select(0u, max(rule.top_p24, 1), by_mass == 1 && rule.top_k > 0);
      let found = search(what, low, bound_start(wanted, share, by_mass), lane);
      if (by_mass == 0) {
        low = found;
      } else {
        nucleus = found;
      }
    }
  }
  let unit = pcg_hash(pcg_hash(rule.seed) + rule.counter) >> 8;
  return draw(Drawn(what, cut, low, nucleus, rule.least, unit), lane);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x;
  if (row >= step.output_rows) {
    return;
  }
  if (lane == 0) {
    rule_ = rule_of(step.row[step.row[row].source].slot);
  }
  find_best(row, lane);
  let best = workgroupUniformLoad(&best_);
  let rule = workgroupUniformLoad(&rule_);
  var flag = 0u;
  if ((best.flags & 1) != 0 || best.key <= CANDIDATE_LOWEST_KEY) {
    flag = select(1u, 2u, (best.flags & 3) == 2 && (rule.flags & 4) != 0);
  }
  var id = best.id;
  if (flag == 0 && rule.greedy == 0) {
    id = sample(row, rule, best, lane);
  }
  if (lane > 0) {
    return;
  }
  if (flag != 0) {
    chosen[row] = vec4<u32>(0xffffff00u + flag, 0, flag, rule.counter);
    return;
  }
  let at = rule.slot * SLOT_WORDS;
  for (var n = 0u; n < sampling[at + 10]; n++) {
    flag = select(flag, 3u, sampling[at + 12 + n] == id);
  }
  if ((rule.flags & 1) != 0) {
    adjust[rule.slot * COLS + id].x += 1;
  }
  sampling[at + 8] = rule.counter + 1;
  chosen[row] = vec4<u32>(id, logits[row * STRIDE + id / 4][id % 4], flag, rule.counter);
}
