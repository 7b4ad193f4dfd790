// Candidates of each token, and of each tile of 1024 tokens (key of the largest, its first id, mass, flags).
// logits [output rows, STRIDE] in vec4 of bits; z like logits; tiles [output rows, TILES] of vec4<u32>.
// Grid: (tiles, output rows), one workgroup per tile. Workgroup memory: 5 WG words.
// Consts: WG (TILE_FOURS, a power of two), COLS, STRIDE, TILES, TILE_FOURS, SLOT_WORDS, MASK_WORDS.
// Parts: sample/candidate, sample/adjusted, sample/weight, loop.
// Source: sums as pairs that cannot overflow, without a pass for the maximum of the row: Two-Pass Softmax (arXiv:2001.04438).

var<workgroup> best: array<vec2<u32>, WG>;
var<workgroup> masses: array<vec2<u32>, WG>;
var<workgroup> flags: array<u32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  if (row >= step.output_rows) {
    return;
  }
  let slot = step.row[step.row[row].source].slot;
  let by = adjusted_of(slot);
  let greedy = adjusted_greedy(slot);
  let i = wg.x * TILE_FOURS + lane;
  var bits = vec4<u32>(CANDIDATE_LOWEST);
  var keys = vec4<u32>();
  flags[lane] = 0;
  if (i < STRIDE) {
    let raw = logits[row * STRIDE + i];
    let inside = candidate_inside(i);
    bits = adjusted(raw, i, by);
    keys = candidate_keys(bits, i);
    flags[lane] = select(0u, 1u, any(candidate_broken(raw) & inside)) | select(0u, 2u, any(candidate_finite(raw) & inside));
    if (!greedy && by.flags != 0) {
      z[row * STRIDE + i] = select(vec4<u32>(), bits, inside);
    }
  }
  let key = max(max(keys.x, keys.y), max(keys.z, keys.w));
  let ids = select(vec4<u32>(0xffffffff), 4 * i + vec4<u32>(0, 1, 2, 3), keys == vec4<u32>(key));
  best[lane] = vec2<u32>(key, min(min(ids.x, ids.y), min(ids.z, ids.w)));
  workgroupBarrier();
  for (var half = WG / 2u; half > upto(0); half /= 2u) {
    if (lane < half) {
      let a = best[lane];
      let b = best[lane + half];
      best[lane] = vec2<u32>(max(a.x, b.x), select(select(b.y, a.y, a.x > b.x), min(a.y, b.y), a.x == b.x));
      flags[lane] |= flags[lane + half];
    }
    workgroupBarrier();
  }
  let top = best[0];
  var mass = 0u;
  if (!greedy && !adjusted_cuts(slot)) {
    // Halves of the weights apart: 1024 of them fit their words.
    var sum = vec2<u32>();
    if (i < STRIDE && top.x > CANDIDATE_LOWEST_KEY) {
      let scale = bitcast<f32>(sampling[slot * SLOT_WORDS + 28]);
      let values = select(vec4<u32>(CANDIDATE_LOWEST), bits, candidate_inside(i));
      let own = weights(candidate_value(top.x), bitcast<vec4<f32>>(values), scale);
      let low = own & vec4<u32>(0xffff);
      let high = own >> vec4<u32>(16);
      sum = vec2<u32>(low.x + low.y + low.z + low.w, high.x + high.y + high.z + high.w);
    }
    masses[lane] = sum;
    workgroupBarrier();
    for (var half = WG / 2u; half > upto(0); half /= 2u) {
      if (lane < half) {
        masses[lane] += masses[lane + half];
      }
      workgroupBarrier();
    }
    mass = masses[0].y * 64 + masses[0].x / 1024;
  }
  if (lane == 0) {
    tiles[row * TILES + wg.x] = vec4<u32>(top, mass, flags[0]);
  }
}
