// (id, bits, flag, 0) of the largest logit of each output row, the lowest id of equals, for CPU drivers.
// logits [output rows, STRIDE] in vec4 of bits, y [output rows] of vec4.
// Grid: (output rows), one thread per row. Workgroup memory: none, and no barrier.
// Consts: COLS, STRIDE. Parts: score/logit_key.

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) wg: vec3<u32>) {
  let row = wg.x;
  if (row >= step.output_rows) {
    return;
  }
  // Each component keeps the first of its largest keys; ids grow along the loop.
  var keys = vec4<u32>();
  var ids = vec4<u32>();
  var bad = vec4<bool>();
  for (var i = 0u; i < STRIDE; i++) {
    let bits = logit_bits(row, i);
    let next = logit_keys(bits, i);
    bad |= logit_broken(bits);
    ids = select(ids, vec4<u32>(i), next > keys);
    keys = max(keys, next);
  }
  ids = ids * 4 + vec4<u32>(0, 1, 2, 3);
  let key = max(max(keys.x, keys.y), max(keys.z, keys.w));
  let mine = select(vec4<u32>(0xffffffffu), ids, keys == vec4<u32>(key));
  let id = min(min(mine.x, mine.y), min(mine.z, mine.w));
  if (any(bad) | (key <= KEY_LOWEST)) {
    y[row] = vec4<u32>(0, 0, 1, 0);
  } else {
    y[row] = vec4<u32>(id, logits[row * STRIDE + id / 4][id % 4], 0, 0);
  }
}
