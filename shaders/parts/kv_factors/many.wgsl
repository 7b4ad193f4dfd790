// The factors that kv_repair looks for, two for each token and then two for each dimension, of many lanes that wait for each other.
// Workgroup memory: 8 * (PAGE_TOKENS + 4 * D4) bytes. Consts: PAGE_TOKENS, D4.

var<workgroup> factors: array<vec2<f32>, PAGE_TOKENS + 4 * D4>;

fn factors_wait() {
  workgroupBarrier();
}
