// The factors that kv_repair looks for, two for each token and then two for each dimension, of a workgroup of one lane, on CPU drivers.
// Workgroup memory: none. Consts: PAGE_TOKENS, D4.

var<private> factors: array<vec2<f32>, PAGE_TOKENS + 4 * D4>;

fn factors_wait() {}
