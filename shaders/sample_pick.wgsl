// One token of each output row: (id, bits of the raw logit, flag, counter).
// logits, z [output rows, STRIDE] in vec4 of bits; tiles [output rows, TILES]; sampling, adjust: base/layout.ts; chosen [output rows].
// Grid: (output rows), one workgroup per row. Workgroup memory: 3 BINS + 3 BINS / 16 + TILES / 32 + 2 words, within 8 KiB.
// Consts: WG (up to 256), COLS, STRIDE, TILES, TILE_FOURS, SLOT_WORDS, BINS (a power of two, at least 64 and TILES), BIN_BITS.
// Parts: sample/candidate, sample/weight, sample/wide, sample/bins, sample/live, sample/search, sample/passes, loop.
// CPU drivers run it too, with few lanes: it runs once a token, and alone. Compilers copy a function to each of its calls, and each place
// that touches memory costs CPU drivers some milliseconds: hence one pass for all that is searched, and for the draw.

/// A slot's options.
struct Rule {
  flags: u32,
  greedy: bool,
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

fn rule_of(at: u32) -> Rule {
  let k = sampling[at + 1];
  let greedy = ((sampling[at] & 0x7fffffff) == 0) | (k == 1);
  return Rule(sampling[at + 9], greedy, select(0u, k, k < COLS), sampling[at + 31], sampling[at + 30],
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

/// 24 random bits.
fn unit_of(rule: Rule) -> u32 {
  return pcg_hash(pcg_hash(rule.seed) + rule.counter) >> 8;
}

/// The largest candidate of the row; the lowest id of equals. In every lane.
fn find_best(row: u32, lane: u32) -> Best {
  var own = vec2<u32>();
  for (var tile = lane; tile < upto(TILES); tile += WG) {
    let next = tiles[row * TILES + tile];
    atomicOr(&bins_count[0], next.w);
    own = select(own, next.xy, next.x > own.x);
  }
  atomicMax(&bins_low[0], own.x);
  workgroupBarrier();
  let key = atomicLoad(&bins_low[0]);
  if (own.x == key) {
    atomicMax(&bins_high[0], ~own.y);
  }
  workgroupBarrier();
  return Best(key, ~atomicLoad(&bins_high[0]), atomicLoad(&bins_count[0]));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x;
  if (row >= step.output_rows) {
    return;
  }
  let slot = step.row[step.row[row].source].slot;
  let at = slot * SLOT_WORDS;
  let rule = rule_of(at);
  let best = find_best(row, lane);
  var flag = 0u;
  if ((best.flags & 1) != 0 || best.key <= CANDIDATE_LOWEST_KEY) {
    flag = select(1u, 2u, (best.flags & 3) == 2 && (rule.flags & 4) != 0);
  }
  let draws = (flag == 0) & !rule.greedy;
  let id = select(best.id, sampled(Searched(row, rule.flags, candidate_value(best.key), rule.scale), rule, draws, lane), draws);
  if (lane > 0) {
    return;
  }
  if (flag != 0) {
    chosen[row] = vec4<u32>(0xffffff00u + flag, 0, flag, rule.counter);
    return;
  }
  for (var n = 0u; n < sampling[at + 10]; n++) {
    flag = select(flag, 3u, sampling[at + 12 + n] == id);
  }
  if ((rule.flags & 1) != 0) {
    adjust[slot * COLS + id].x += 1;
  }
  sampling[at + 8] = rule.counter + 1;
  chosen[row] = vec4<u32>(id, logits[row * STRIDE + id / 4][id % 4], flag, rule.counter);
}
