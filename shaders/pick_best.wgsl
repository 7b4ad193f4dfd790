// The likeliest token of each output row, from the largest logit of every eight: (id, bits of the raw logit, flag, counter), as
// sample_pick has them of a slot that is greedy and changes no logit.
// logits [output rows, STRIDE] in vec4 of bits; best [output rows, BEST_STRIDE] in vec4 of bits (parts/best); sampling: base/layout.ts;
// chosen [output rows]. Grid: (output rows), one workgroup per row. Workgroup memory: 2 WG words.
// Consts: WG (a power of two), COLS, STRIDE, EIGHTS, BEST_STRIDE, SLOT_WORDS. Parts: sample/candidate, loop.

/// (Key of the largest, the eight that has it): the first of equals. Broken ones are above all others.
var<workgroup> best_lanes: array<vec2<u32>, WG>;

const BROKEN = 0xffffffffu;

fn larger(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  return select(b, a, (a.x > b.x) | ((a.x == b.x) & (a.y < b.y)));
}

/// The largest of four keys and its index, which is `first` or one of the three behind it.
fn largest_of(keys: vec4<u32>, first: u32) -> vec2<u32> {
  let key = max(max(keys.x, keys.y), max(keys.z, keys.w));
  let ids = select(vec4<u32>(0xffffffff), first + vec4<u32>(0, 1, 2, 3), keys == vec4<u32>(key));
  return vec2<u32>(key, min(min(ids.x, ids.y), min(ids.z, ids.w)));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x;
  if (row >= step.output_rows) {
    return;
  }
  var own = vec2<u32>(0, 0xffffffff);
  for (var i = lane; i < upto(BEST_STRIDE); i += WG) {
    let bits = best[row * BEST_STRIDE + i];
    let inside = 4 * i + vec4<u32>(0, 1, 2, 3) < vec4<u32>(EIGHTS);
    // These are no columns of logits, of which the first is always there.
    let keys = select(candidate_keys(candidate_raw(bits), 0), vec4<u32>(BROKEN), candidate_broken(bits));
    own = larger(own, largest_of(select(vec4<u32>(), keys, inside), 4 * i));
  }
  best_lanes[lane] = own;
  workgroupBarrier();
  for (var half = WG / 2u; half > upto(0); half /= 2u) {
    if (lane < half) {
      best_lanes[lane] = larger(best_lanes[lane], best_lanes[lane + half]);
    }
    workgroupBarrier();
  }
  if (lane > 0) {
    return;
  }
  let at = step.row[step.row[row].source].slot * SLOT_WORDS;
  let counter = sampling[at + 8];
  let top = best_lanes[0];
  if (top.x == BROKEN || top.x <= CANDIDATE_LOWEST_KEY) {
    chosen[row] = vec4<u32>(0xffffff00u + 1, 0, 1, counter);
    return;
  }
  var found = vec2<u32>(0, 0xffffffff);
  for (var four = 2 * top.y; four < 2 * top.y + 2; four++) {
    found = larger(found, largest_of(candidate_keys(candidate_raw(logits[row * STRIDE + four]), four), 4 * four));
  }
  let id = found.y;
  var flag = 0u;
  for (var n = 0u; n < sampling[at + 10]; n++) {
    flag = select(flag, 3u, sampling[at + 12 + n] == id);
  }
  sampling[at + 8] = counter + 1;
  chosen[row] = vec4<u32>(id, logits[row * STRIDE + id / 4][id % 4], flag, counter);
}
