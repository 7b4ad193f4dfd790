// (max, sum, 0, 0, sums of exp(score - max) v) of each query head over each range of its row's past.
// q [rows, STRIDE], partials [rows, PARTIAL_STRIDE] as [HEADS][SPLITS][1 + D4], in vec4; kv as in parts/kv.
// Grid: (SETS, ranges, rows), one workgroup per set of SET_HEADS query heads that share a kv head, so that keys and values are
// read once for all of them; ranges past the row's position return at once.
// Workgroup memory: SET_HEADS * (4 D4 + SPLIT_TOKENS) + 5 WG words.
// Consts: WG, HEADS, GROUP (query heads per kv head), SETS, SET_HEADS, SPLITS, SPLIT_TOKENS, STRIDE, PARTIAL_STRIDE, LOWEST, those
// of the parts. Parts: kv, mask, score, loop.
// Source: Flash-Decoding, after arXiv:2307.08691.

/// Lanes that reduce one head's scores.
const TEAM = WG / SET_HEADS;
/// Ranges of keys that the lanes, D4 side by side, sum values over.
const STRIPES = WG / D4;

var<workgroup> queries: array<vec4<f32>, SET_HEADS * D4>;
/// Scores, then probabilities: [head][key of the range].
var<workgroup> scores: array<f32, SET_HEADS * SPLIT_TOKENS>;
var<workgroup> team: array<f32, WG>;
var<workgroup> stripes: array<vec4<f32>, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.z;
  let split = wg.y;
  if (row >= step.rows) {
    return;
  }
  let position = step.row[row].position;
  let start = split * SPLIT_TOKENS;
  if (start > position) {
    return;
  }
  let count = min(SPLIT_TOKENS, position + 1 - start);
  let slot = step.row[row].slot;
  let head = wg.x * SET_HEADS;
  let kv_head = head / GROUP;
  for (var i = lane; i < SET_HEADS * D4; i += WG) {
    queries[i] = vec4<f32>(q[row * STRIDE + head * D4 + i]);
  }
  workgroupBarrier();

  // Scores: one key per lane, for all heads of the set.
  for (var key = lane; key < count; key += WG) {
    let at = kv_index(slot, start + key, kv_head);
    var s = array<f32, SET_HEADS>();
    for (var i = 0u; i < upto(D4); i++) {
      let k = vec4<f32>(kv[at + i]);
      for (var h = 0u; h < upto(SET_HEADS); h++) {
        s[h] += dot(queries[h * D4 + i], k);
      }
    }
    for (var h = 0u; h < upto(SET_HEADS); h++) {
      scores[h * SPLIT_TOKENS + key] = select(LOWEST, score(s[h]), mask_allows(position, start + key));
    }
  }
  workgroupBarrier();

  // Softmax: a team of lanes per head.
  let mine = lane / TEAM;
  var top = LOWEST;
  var sum = 0.0;
  if (mine < SET_HEADS) {
    for (var key = lane % TEAM; key < count; key += TEAM) {
      top = max(top, scores[mine * SPLIT_TOKENS + key]);
    }
  }
  team[lane] = top;
  workgroupBarrier();
  if (mine < SET_HEADS) {
    for (var i = 0u; i < upto(TEAM); i++) {
      top = max(top, team[mine * TEAM + i]);
    }
    for (var key = lane % TEAM; key < count; key += TEAM) {
      let p = exp(scores[mine * SPLIT_TOKENS + key] - top);
      scores[mine * SPLIT_TOKENS + key] = p;
      sum += p;
    }
  }
  workgroupBarrier();
  team[lane] = sum;
  workgroupBarrier();
  let out = row * PARTIAL_STRIDE + (head * SPLITS + split) * (D4 + 1);
  if (mine < SET_HEADS && lane % TEAM == 0) {
    var total = 0.0;
    for (var i = 0u; i < upto(TEAM); i++) {
      total += team[mine * TEAM + i];
    }
    partials[out + mine * SPLITS * (D4 + 1)] = vec4<f32>(top, total, 0.0, 0.0);
  }

  // Values: lanes lie across the dimensions, each stripe of D4 lanes takes every STRIPES-th key.
  let col = lane % D4;
  let stripe = lane / D4;
  var acc = array<vec4<f32>, SET_HEADS>();
  if (stripe < STRIPES) {
    for (var key = stripe; key < count; key += STRIPES) {
      let v = vec4<f32>(kv[kv_index(slot, start + key, kv_head) + KV_VALUES + col]);
      for (var h = 0u; h < upto(SET_HEADS); h++) {
        acc[h] += scores[h * SPLIT_TOKENS + key] * v;
      }
    }
  }
  for (var h = 0u; h < upto(SET_HEADS); h++) {
    stripes[lane] = acc[h];
    workgroupBarrier();
    if (stripe == 0) {
      var total = vec4<f32>();
      for (var i = 0u; i < upto(STRIPES); i++) {
        total += stripes[i * D4 + col];
      }
      partials[out + h * SPLITS * (D4 + 1) + 1 + col] = total;
    }
    workgroupBarrier();
  }
}
