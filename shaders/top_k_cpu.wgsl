// (K ids, their K logits in falling order, max, log sum exp, flag, 0) of each output row, lower ids first among equals, for CPU
// drivers.
// logits [output rows, STRIDE] in vec4 of bits, y [output rows, Y_STRIDE] of words.
// Grid: (output rows), one thread per row keeps a sorted list; few of many logits enter it. Workgroup memory: none, and no
// barrier.
// Consts: COLS, STRIDE, K, Y_STRIDE, LOWEST. Parts: score/logit_key.

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) wg: vec3<u32>) {
  let row = wg.x;
  if (row >= step.output_rows) {
    return;
  }
  // (key, id), largest first; a key at or below KEY_LOWEST never enters.
  var best = array<vec2<u32>, K>();
  for (var i = 0u; i < K; i++) {
    best[i] = vec2<u32>(KEY_LOWEST, 0xffffffffu);
  }
  var bound = KEY_LOWEST;
  var bad = vec4<bool>();
  for (var i = 0u; i < STRIDE; i++) {
    let bits = logit_bits(row, i);
    let keys = logit_keys(bits, i);
    bad |= logit_broken(bits);
    if (any(keys > vec4<u32>(bound))) {
      for (var c = 0u; c < 4; c++) {
        if (keys[c] > bound) {
          var at = K - 1;
          while (at > 0) {
            if (best[at - 1].x >= keys[c]) {
              break;
            }
            best[at] = best[at - 1];
            at--;
          }
          best[at] = vec2<u32>(keys[c], 4 * i + c);
          bound = best[K - 1].x;
        }
      }
    }
  }
  let flag = any(bad) | (best[0].y == 0xffffffffu);
  let out = row * Y_STRIDE;
  for (var i = 0u; i < K; i++) {
    let id = select(best[i].y, 0xffffffffu, flag);
    y[out + i] = id;
    y[out + K + i] = bitcast<u32>(LOWEST);
    if (id != 0xffffffffu) {
      y[out + K + i] = logits[row * STRIDE + id / 4][id % 4];
    }
  }
  let top = bitcast<f32>(y[out + K]);
  var sums = vec4<f32>();
  for (var i = 0u; i < STRIDE; i++) {
    let bits = logit_bits(row, i);
    let finite = logit_keys(bits, i) > vec4<u32>(KEY_LOWEST);
    sums += select(vec4<f32>(), exp(bitcast<vec4<f32>>(bits) - top), finite);
  }
  let total = max(dot(sums, vec4<f32>(1.0)), 1.0);
  y[out + 2 * K] = bitcast<u32>(top);
  y[out + 2 * K + 1] = bitcast<u32>(select(top + log(total), LOWEST, flag));
  y[out + 2 * K + 2] = select(0u, 1u, flag);
  for (var i = 2 * K + 3; i < Y_STRIDE; i++) {
    y[out + i] = 0;
  }
}
