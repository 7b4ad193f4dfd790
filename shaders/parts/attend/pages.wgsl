// Attention of four queries of one kv head over keys [keys.x, keys.y), by one thread of a CPU driver, as attend/four does it, for types that
// are quantized when a page is full. Each key has many loads here, and each site of a load costs these drivers compile time: eight keys
// are read in a loop, what they share once for all of them.
// Leaves attend_top (largest score) and attend_sum (of exp(score - top)); attend_each gives the sums of exp(score - top) v.
// Workgroup memory: none.
// Needs q (vec4 array), kv and `fn attend_write(at: u32, value: vec4<f32>)`. Consts: D4, LOWEST, those of the parts.
// Parts: kv_read/pages, kv_own, mask, score, scores, sink.
// Paper: arXiv:1805.02867.

const ATTEND_QUERIES = 4u;

/// D4, as a value that drivers do not know: those that unroll these loops to keep the sums in registers compile for minutes.
fn attend_width() -> u32 {
  return D4 + step.reserved0;
}

var<private> attend_positions: vec4<u32>;
/// What scores need to know of each query's head.
var<private> attend_heads: vec4<f32>;
var<private> attend_top: vec4<f32>;
var<private> attend_sum: vec4<f32>;
var<private> attend_acc0: array<vec4<f32>, D4>;
var<private> attend_acc1: array<vec4<f32>, D4>;
var<private> attend_acc2: array<vec4<f32>, D4>;
var<private> attend_acc3: array<vec4<f32>, D4>;

/// Eight, as a value that drivers do not know: they would unroll the loads.
fn attend_eight() -> u32 {
  return 8 + step.reserved0;
}

/// Four dimensions of the keys at `at` and behind it, up to `left` of them.
fn attend_keys(at: u32, left: u32, i: u32) -> array<vec4<f32>, 8> {
  var b = array<vec4<f32>, 8>();
  if ((at & PAGES_OWN) != 0) {
    for (var j = 0u; j < attend_eight(); j++) {
      b[j] = own_key((at ^ PAGES_OWN) + min(j, left), i);
    }
    return b;
  }
  let base = page_keys(at / PAGE_TOKENS / KV_HEADS, at / PAGE_TOKENS % KV_HEADS);
  let range = pages_key_range(base, i);
  let repair = repair_of(pages_key_repair(base), i);
  for (var j = 0u; j < attend_eight(); j++) {
    let token = at % PAGE_TOKENS + min(j, left);
    let four = pages_codes(kv[base + token * CODE_WORDS + i / CODE_FOURS], i) * range.step + range.least;
    b[j] = repaired(four, repair, pages_key_repair(base), token);
  }
  return b;
}

fn attend_values(at: u32, left: u32, i: u32) -> array<vec4<f32>, 8> {
  var b = array<vec4<f32>, 8>();
  for (var j = 0u; j < attend_eight(); j++) {
    b[j] = kv_value(at + min(j, left), i);
  }
  return b;
}

fn attend_max(s: vec4<f32>, t: vec4<f32>) -> f32 {
  let m = max(s, t);
  return max(max(m.x, m.y), max(m.z, m.w));
}

/// `positions` of the queries, for the mask, none below the first; their `heads`. `first`: whether these keys are the first of the queries'.
fn attend_start(positions: vec4<u32>, heads: vec4<u32>, first: bool) {
  attend_positions = positions;
  kv_see(positions.x);
  attend_heads = vec4<f32>(score_head(heads.x), score_head(heads.y), score_head(heads.z), score_head(heads.w));
  let tops = vec4<f32>(sink_top(heads.x), sink_top(heads.y), sink_top(heads.z), sink_top(heads.w));
  attend_top = select(vec4<f32>(LOWEST), tops, first);
  attend_sum = vec4<f32>(select(0.0, sink_sum(), first));
  for (var i = 0u; i < attend_width(); i++) {
    attend_acc0[i] = vec4<f32>();
    attend_acc1[i] = vec4<f32>();
    attend_acc2[i] = vec4<f32>();
    attend_acc3[i] = vec4<f32>();
  }
}

/// `queries`: index in q of the first vec4 of each query. keys.y is a multiple of 8, or behind what the last of them sees.
fn attend(slot: u32, kv_head: u32, keys: vec2<u32>, queries: vec4<u32>) {
  let last = keys.y - 1;
  for (var key = keys.x; key < keys.y; key = mask_next(key + 8, attend_positions.x) / 8 * 8) {
    // Keys past the last one stand in its vector, which is always readable.
    let at = kv_index(slot, key, kv_head);
    let left = min(last - key, 7u);
    var s0 = vec4<f32>();
    var t0 = vec4<f32>();
    var s1 = vec4<f32>();
    var t1 = vec4<f32>();
    var s2 = vec4<f32>();
    var t2 = vec4<f32>();
    var s3 = vec4<f32>();
    var t3 = vec4<f32>();
    for (var i = 0u; i < attend_width(); i++) {
      let a0 = vec4<f32>(q[queries.x + i]);
      let a1 = vec4<f32>(q[queries.y + i]);
      let a2 = vec4<f32>(q[queries.z + i]);
      let a3 = vec4<f32>(q[queries.w + i]);
      let b = attend_keys(at, left, i);
      s0 += vec4<f32>(dot(a0, b[0]), dot(a0, b[1]), dot(a0, b[2]), dot(a0, b[3]));
      s1 += vec4<f32>(dot(a1, b[0]), dot(a1, b[1]), dot(a1, b[2]), dot(a1, b[3]));
      s2 += vec4<f32>(dot(a2, b[0]), dot(a2, b[1]), dot(a2, b[2]), dot(a2, b[3]));
      s3 += vec4<f32>(dot(a3, b[0]), dot(a3, b[1]), dot(a3, b[2]), dot(a3, b[3]));
      t0 += vec4<f32>(dot(a0, b[4]), dot(a0, b[5]), dot(a0, b[6]), dot(a0, b[7]));
      t1 += vec4<f32>(dot(a1, b[4]), dot(a1, b[5]), dot(a1, b[6]), dot(a1, b[7]));
      t2 += vec4<f32>(dot(a2, b[4]), dot(a2, b[5]), dot(a2, b[6]), dot(a2, b[7]));
      t3 += vec4<f32>(dot(a3, b[4]), dot(a3, b[5]), dot(a3, b[6]), dot(a3, b[7]));
    }
    s0 = scores_of(s0, attend_heads.x, attend_positions.x, key);
    t0 = scores_of(t0, attend_heads.x, attend_positions.x, key + 4);
    s1 = scores_of(s1, attend_heads.y, attend_positions.y, key);
    t1 = scores_of(t1, attend_heads.y, attend_positions.y, key + 4);
    s2 = scores_of(s2, attend_heads.z, attend_positions.z, key);
    t2 = scores_of(t2, attend_heads.z, attend_positions.z, key + 4);
    s3 = scores_of(s3, attend_heads.w, attend_positions.w, key);
    t3 = scores_of(t3, attend_heads.w, attend_positions.w, key + 4);
    if (!mask_whole(attend_positions.xw, vec2<u32>(key, key + 8))) {
      s0 = scores_seen(s0, attend_positions.x, key);
      t0 = scores_seen(t0, attend_positions.x, key + 4);
      s1 = scores_seen(s1, attend_positions.y, key);
      t1 = scores_seen(t1, attend_positions.y, key + 4);
      s2 = scores_seen(s2, attend_positions.z, key);
      t2 = scores_seen(t2, attend_positions.z, key + 4);
      s3 = scores_seen(s3, attend_positions.w, key);
      t3 = scores_seen(t3, attend_positions.w, key + 4);
    }
    let top = max(attend_top, vec4<f32>(attend_max(s0, t0), attend_max(s1, t1), attend_max(s2, t2), attend_max(s3, t3)));
    let fade = exp(attend_top - top);
    attend_top = top;
    s0 = exp(s0 - top.x);
    t0 = exp(t0 - top.x);
    s1 = exp(s1 - top.y);
    t1 = exp(t1 - top.y);
    s2 = exp(s2 - top.z);
    t2 = exp(t2 - top.z);
    s3 = exp(s3 - top.w);
    t3 = exp(t3 - top.w);
    attend_sum = attend_sum * fade + vec4<f32>(dot(s0 + t0, vec4<f32>(1.0)), dot(s1 + t1, vec4<f32>(1.0)), dot(s2 + t2, vec4<f32>(1.0)), dot(s3 + t3, vec4<f32>(1.0)));
    for (var i = 0u; i < attend_width(); i++) {
      let v = attend_values(at, left, i);
      attend_acc0[i] = attend_acc0[i] * fade.x + s0.x * v[0] + s0.y * v[1] + s0.z * v[2] + s0.w * v[3]
        + t0.x * v[4] + t0.y * v[5] + t0.z * v[6] + t0.w * v[7];
      attend_acc1[i] = attend_acc1[i] * fade.y + s1.x * v[0] + s1.y * v[1] + s1.z * v[2] + s1.w * v[3]
        + t1.x * v[4] + t1.y * v[5] + t1.z * v[6] + t1.w * v[7];
      attend_acc2[i] = attend_acc2[i] * fade.z + s2.x * v[0] + s2.y * v[1] + s2.z * v[2] + s2.w * v[3]
        + t2.x * v[4] + t2.y * v[5] + t2.z * v[6] + t2.w * v[7];
      attend_acc3[i] = attend_acc3[i] * fade.w + s3.x * v[0] + s3.y * v[1] + s3.z * v[2] + s3.w * v[3]
        + t3.x * v[4] + t3.y * v[5] + t3.z * v[6] + t3.w * v[7];
    }
  }
}

/// Hands every vec4 of the first `count` outputs, times its query's `share`, to attend_write, queries `pitch` apart from `at`.
fn attend_each(at: u32, pitch: u32, count: u32, share: vec4<f32>) {
  for (var i = 0u; i < attend_width(); i++) {
    attend_write(at + i, attend_acc0[i] * share.x);
    if (count > 1) {
      attend_write(at + 1 * pitch + i, attend_acc1[i] * share.y);
    }
    if (count > 2) {
      attend_write(at + 2 * pitch + i, attend_acc2[i] * share.z);
    }
    if (count > 3) {
      attend_write(at + 3 * pitch + i, attend_acc3[i] * share.w);
    }
  }
}
