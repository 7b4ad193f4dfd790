// Attention of two queries of one kv head over keys [keys.x, keys.y), by one thread of a CPU driver, with a running softmax.
// Only the first two components of the vectors of queries count. keys.x is a multiple of 8, and so are pages. attend_start comes
// first. Eight keys at a time in named registers: on these drivers a load costs as much as some sixteen products, and arrays indexed
// in a loop are loads too.
// Leaves attend_top (largest score) and attend_sum (of exp(score - top)); attend_each gives the sums of exp(score - top) v.
// Workgroup memory: none.
// Needs q (vec4 array), kv and `fn attend_write(at: u32, value: vec4<f32>)`. Consts: D4, LOWEST.
// Parts: kv, kv_read, mask, score, scores, sink.
// Paper: arXiv:1805.02867.

const ATTEND_QUERIES = 2u;

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
  }
}

/// `queries`: index in q of the first vec4 of each query. keys.y is a multiple of 8, or behind what the last of them sees.
fn attend(slot: u32, kv_head: u32, keys: vec2<u32>, queries: vec4<u32>) {
  let last = keys.y - 1;
  for (var key = keys.x; key < keys.y; key = mask_next(key + 8, attend_positions.x) / 8 * 8) {
    // Keys past the last one stand in its vector, which is always readable.
    let left = last - key;
    let k0 = kv_index(slot, key, kv_head);
    let k1 = k0 + min(left, 1) * KV_NEXT;
    let k2 = k0 + min(left, 2) * KV_NEXT;
    let k3 = k0 + min(left, 3) * KV_NEXT;
    let k4 = k0 + min(left, 4) * KV_NEXT;
    let k5 = k0 + min(left, 5) * KV_NEXT;
    let k6 = k0 + min(left, 6) * KV_NEXT;
    let k7 = k0 + min(left, 7) * KV_NEXT;
    var s0 = vec4<f32>();
    var t0 = vec4<f32>();
    var s1 = vec4<f32>();
    var t1 = vec4<f32>();
    for (var i = 0u; i < attend_width(); i++) {
      let a0 = vec4<f32>(q[queries.x + i]);
      let a1 = vec4<f32>(q[queries.y + i]);
      let b0 = kv_key(k0, i);
      let b1 = kv_key(k1, i);
      let b2 = kv_key(k2, i);
      let b3 = kv_key(k3, i);
      s0 += vec4<f32>(dot(a0, b0), dot(a0, b1), dot(a0, b2), dot(a0, b3));
      s1 += vec4<f32>(dot(a1, b0), dot(a1, b1), dot(a1, b2), dot(a1, b3));
      let b4 = kv_key(k4, i);
      let b5 = kv_key(k5, i);
      let b6 = kv_key(k6, i);
      let b7 = kv_key(k7, i);
      t0 += vec4<f32>(dot(a0, b4), dot(a0, b5), dot(a0, b6), dot(a0, b7));
      t1 += vec4<f32>(dot(a1, b4), dot(a1, b5), dot(a1, b6), dot(a1, b7));
    }
    s0 = scores_of(s0, attend_heads.x, attend_positions.x, key);
    t0 = scores_of(t0, attend_heads.x, attend_positions.x, key + 4);
    s1 = scores_of(s1, attend_heads.y, attend_positions.y, key);
    t1 = scores_of(t1, attend_heads.y, attend_positions.y, key + 4);
    if (!mask_whole(attend_positions.xy, vec2<u32>(key, key + 8))) {
      s0 = scores_seen(s0, attend_positions.x, key);
      t0 = scores_seen(t0, attend_positions.x, key + 4);
      s1 = scores_seen(s1, attend_positions.y, key);
      t1 = scores_seen(t1, attend_positions.y, key + 4);
    }
    let top = max(attend_top, vec4<f32>(attend_max(s0, t0), attend_max(s1, t1), LOWEST, LOWEST));
    let fade = exp(attend_top - top);
    attend_top = top;
    s0 = exp(s0 - top.x);
    t0 = exp(t0 - top.x);
    s1 = exp(s1 - top.y);
    t1 = exp(t1 - top.y);
    attend_sum = attend_sum * fade + vec4<f32>(dot(s0 + t0, vec4<f32>(1.0)), dot(s1 + t1, vec4<f32>(1.0)), 0.0, 0.0);
    for (var i = 0u; i < attend_width(); i++) {
      let v0 = kv_value(k0, i);
      let v1 = kv_value(k1, i);
      let v2 = kv_value(k2, i);
      let v3 = kv_value(k3, i);
      let v4 = kv_value(k4, i);
      let v5 = kv_value(k5, i);
      let v6 = kv_value(k6, i);
      let v7 = kv_value(k7, i);
      attend_acc0[i] = attend_acc0[i] * fade.x + s0.x * v0 + s0.y * v1 + s0.z * v2 + s0.w * v3
        + t0.x * v4 + t0.y * v5 + t0.z * v6 + t0.w * v7;
      attend_acc1[i] = attend_acc1[i] * fade.y + s1.x * v0 + s1.y * v1 + s1.z * v2 + s1.w * v3
        + t1.x * v4 + t1.y * v5 + t1.z * v6 + t1.w * v7;
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
  }
}
