// Attention as it is written down, in three kernels over a buffer of all scores: products, softmax of each row, weights times values.
// q, y [TOKENS][HEADS][D4] and k, v [KV_HEADS][TOKENS][D4] in vec4, scores [HEADS][TOKENS][TOKENS]. Keys after a query are never looked at.
// Entry points in order: products (a thread for each head, query and key), softmax (for each head and query), weigh (for each head, query
// and vec4). Consts: TOKENS, HEADS, KV_HEADS, D4, SCALE, WG.

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> scores: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn products(@builtin(global_invocation_id) id: vec3<u32>) {
  let key = id.x;
  let query = id.y;
  let head = id.z;
  if (key > query) {
    return;
  }
  let k_at = (head * KV_HEADS / HEADS * TOKENS + key) * D4;
  let q_at = (query * HEADS + head) * D4;
  var sum = 0.0;
  for (var i = 0u; i < D4; i++) {
    sum += dot(q[q_at + i], k[k_at + i]);
  }
  scores[(head * TOKENS + query) * TOKENS + key] = sum * SCALE;
}

@compute @workgroup_size(WG)
fn softmax(@builtin(global_invocation_id) id: vec3<u32>) {
  let query = id.x;
  let at = (id.y * TOKENS + query) * TOKENS;
  var top = scores[at];
  for (var key = 1u; key <= query; key++) {
    top = max(top, scores[at + key]);
  }
  var sum = 0.0;
  for (var key = 0u; key <= query; key++) {
    let p = exp(scores[at + key] - top);
    scores[at + key] = p;
    sum += p;
  }
  for (var key = 0u; key <= query; key++) {
    scores[at + key] /= sum;
  }
}

@compute @workgroup_size(WG)
fn weigh(@builtin(global_invocation_id) id: vec3<u32>) {
  let query = id.x / D4;
  let head = id.y;
  let v_at = head * KV_HEADS / HEADS * TOKENS * D4 + id.x % D4;
  let at = (head * TOKENS + query) * TOKENS;
  var sum = vec4<f32>();
  for (var key = 0u; key <= query; key++) {
    sum += scores[at + key] * v[v_at + key * D4];
  }
  y[(query * HEADS + head) * D4 + id.x % D4] = sum;
}
