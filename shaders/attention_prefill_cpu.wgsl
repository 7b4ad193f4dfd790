// y = softmax(q k^T SCALE) v with a running maximum and sum, for CPU drivers.
// q, y [rows, STRIDE] in vec4, heads of D4; kv as in parts/kv; the rows are consecutive positions of one sequence.
// Grid: (ceil(rows / 4 / WG), HEADS), one thread per four queries of a head.
// Workgroup memory: none, and no barrier. Four queries x eight keys in named registers: on these drivers every load costs as
// much as some sixteen products, and arrays indexed in a loop are loads too.
// Consts: WG, HEADS, GROUP (query heads per kv head), STRIDE, LOWEST, those of the parts. Parts: kv, mask, score.
// Paper: arXiv:2307.08691; the running softmax is arXiv:1805.02867.

fn masked(s: vec4<f32>, position: u32, key: u32) -> vec4<f32> {
  return vec4<f32>(
    select(LOWEST, score(s.x), mask_allows(position, key)),
    select(LOWEST, score(s.y), mask_allows(position, key + 1)),
    select(LOWEST, score(s.z), mask_allows(position, key + 2)),
    select(LOWEST, score(s.w), mask_allows(position, key + 3)),
  );
}

fn top_of(s: vec4<f32>, t: vec4<f32>) -> f32 {
  let m = max(s, t);
  return max(max(m.x, m.y), max(m.z, m.w));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = (wg.x * WG + lane) * 4;
  let head = wg.y;
  if (row >= step.rows) {
    return;
  }
  let slot = step.row[row].slot;
  let first = step.row[row].position;
  // Missing rows of the last four repeat its first one and are not stored.
  let count = min(step.rows - row, 4);
  let last = first + count - 1;
  let q0 = row * STRIDE + head * D4;
  let q1 = q0 + select(0, STRIDE, count > 1);
  let q2 = q0 + select(0, 2 * STRIDE, count > 2);
  let q3 = q0 + select(0, 3 * STRIDE, count > 3);
  var acc0: array<vec4<f32>, D4>;
  var acc1: array<vec4<f32>, D4>;
  var acc2: array<vec4<f32>, D4>;
  var acc3: array<vec4<f32>, D4>;
  var top = vec4<f32>(LOWEST);
  var sum = vec4<f32>();
  for (var key = mask_first(first) / 8 * 8; key <= last; key += 8) {
    // Keys past the last position stand in the vector of that position, which is always readable.
    let left = last - key;
    let k0 = kv_index(slot, key, head / GROUP);
    let k1 = k0 + min(left, 1) * D4;
    let k2 = k0 + min(left, 2) * D4;
    let k3 = k0 + min(left, 3) * D4;
    let k4 = k0 + min(left, 4) * D4;
    let k5 = k0 + min(left, 5) * D4;
    let k6 = k0 + min(left, 6) * D4;
    let k7 = k0 + min(left, 7) * D4;
    var s0 = vec4<f32>();
    var t0 = vec4<f32>();
    var s1 = vec4<f32>();
    var t1 = vec4<f32>();
    var s2 = vec4<f32>();
    var t2 = vec4<f32>();
    var s3 = vec4<f32>();
    var t3 = vec4<f32>();
    for (var i = 0u; i < D4; i++) {
      let a0 = vec4<f32>(q[q0 + i]);
      let a1 = vec4<f32>(q[q1 + i]);
      let a2 = vec4<f32>(q[q2 + i]);
      let a3 = vec4<f32>(q[q3 + i]);
      let b0 = vec4<f32>(kv[k0 + i]);
      let b1 = vec4<f32>(kv[k1 + i]);
      let b2 = vec4<f32>(kv[k2 + i]);
      let b3 = vec4<f32>(kv[k3 + i]);
      s0 += vec4<f32>(dot(a0, b0), dot(a0, b1), dot(a0, b2), dot(a0, b3));
      s1 += vec4<f32>(dot(a1, b0), dot(a1, b1), dot(a1, b2), dot(a1, b3));
      s2 += vec4<f32>(dot(a2, b0), dot(a2, b1), dot(a2, b2), dot(a2, b3));
      s3 += vec4<f32>(dot(a3, b0), dot(a3, b1), dot(a3, b2), dot(a3, b3));
      let b4 = vec4<f32>(kv[k4 + i]);
      let b5 = vec4<f32>(kv[k5 + i]);
      let b6 = vec4<f32>(kv[k6 + i]);
      let b7 = vec4<f32>(kv[k7 + i]);
      t0 += vec4<f32>(dot(a0, b4), dot(a0, b5), dot(a0, b6), dot(a0, b7));
      t1 += vec4<f32>(dot(a1, b4), dot(a1, b5), dot(a1, b6), dot(a1, b7));
      t2 += vec4<f32>(dot(a2, b4), dot(a2, b5), dot(a2, b6), dot(a2, b7));
      t3 += vec4<f32>(dot(a3, b4), dot(a3, b5), dot(a3, b6), dot(a3, b7));
    }
    s0 = masked(s0, first + 0, key);
    t0 = masked(t0, first + 0, key + 4);
    s1 = masked(s1, first + 1, key);
    t1 = masked(t1, first + 1, key + 4);
    s2 = masked(s2, first + 2, key);
    t2 = masked(t2, first + 2, key + 4);
    s3 = masked(s3, first + 3, key);
    t3 = masked(t3, first + 3, key + 4);
    let new_top = max(top, vec4<f32>(top_of(s0, t0), top_of(s1, t1), top_of(s2, t2), top_of(s3, t3)));
    let fade = exp(top - new_top);
    top = new_top;
    s0 = exp(s0 - top.x);
    t0 = exp(t0 - top.x);
    s1 = exp(s1 - top.y);
    t1 = exp(t1 - top.y);
    s2 = exp(s2 - top.z);
    t2 = exp(t2 - top.z);
    s3 = exp(s3 - top.w);
    t3 = exp(t3 - top.w);
    sum = sum * fade + vec4<f32>(dot(s0 + t0, vec4<f32>(1.0)), dot(s1 + t1, vec4<f32>(1.0)), dot(s2 + t2, vec4<f32>(1.0)), dot(s3 + t3, vec4<f32>(1.0)));
    for (var i = 0u; i < D4; i++) {
      let v0 = vec4<f32>(kv[k0 + KV_VALUES + i]);
      let v1 = vec4<f32>(kv[k1 + KV_VALUES + i]);
      let v2 = vec4<f32>(kv[k2 + KV_VALUES + i]);
      let v3 = vec4<f32>(kv[k3 + KV_VALUES + i]);
      let v4 = vec4<f32>(kv[k4 + KV_VALUES + i]);
      let v5 = vec4<f32>(kv[k5 + KV_VALUES + i]);
      let v6 = vec4<f32>(kv[k6 + KV_VALUES + i]);
      let v7 = vec4<f32>(kv[k7 + KV_VALUES + i]);
      acc0[i] = acc0[i] * fade.x + s0.x * v0 + s0.y * v1 + s0.z * v2 + s0.w * v3 + t0.x * v4 + t0.y * v5 + t0.z * v6 + t0.w * v7;
      acc1[i] = acc1[i] * fade.y + s1.x * v0 + s1.y * v1 + s1.z * v2 + s1.w * v3 + t1.x * v4 + t1.y * v5 + t1.z * v6 + t1.w * v7;
      acc2[i] = acc2[i] * fade.z + s2.x * v0 + s2.y * v1 + s2.z * v2 + s2.w * v3 + t2.x * v4 + t2.y * v5 + t2.z * v6 + t2.w * v7;
      acc3[i] = acc3[i] * fade.w + s3.x * v0 + s3.y * v1 + s3.z * v2 + s3.w * v3 + t3.x * v4 + t3.y * v5 + t3.z * v6 + t3.w * v7;
    }
  }
  let share = 1.0 / max(sum, vec4<f32>(1e-30));
  for (var i = 0u; i < D4; i++) {
    y[q0 + i] = vec4<act_t>(acc0[i] * share.x);
    if (count > 1) {
      y[q1 + i] = vec4<act_t>(acc1[i] * share.y);
    }
    if (count > 2) {
      y[q2 + i] = vec4<act_t>(acc2[i] * share.z);
    }
    if (count > 3) {
      y[q3 + i] = vec4<act_t>(acc3[i] * share.w);
    }
  }
  if (head == HEADS - 1) {
    for (var r = row; r < row + count; r++) {
      for (var i = HEADS * D4; i < STRIDE; i++) {
        y[r * STRIDE + i] = vec4<act_t>();
      }
    }
  }
}
