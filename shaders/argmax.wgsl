// (id, bits, flag, 0) of the largest logit of each output row, the lowest id of equals.
// logits [output rows, STRIDE] in vec4 of bits, y [output rows] of vec4.
// Grid: (output rows), one workgroup per row. Workgroup memory: 3 WG words.
// Consts: WG (a power of two), COLS, STRIDE. Parts: score/logit_key.

var<workgroup> best_keys: array<u32, WG>;
var<workgroup> best_ids: array<u32, WG>;
var<workgroup> broken: array<u32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x;
  if (row >= step.output_rows) {
    return;
  }
  // Each component keeps the first of its largest keys; ids grow along the loop.
  var keys = vec4<u32>();
  var ids = vec4<u32>();
  var bad = vec4<bool>();
  for (var i = lane; i < STRIDE; i += WG) {
    let bits = logit_bits(row, i);
    let next = logit_keys(bits, i);
    bad |= logit_broken(bits);
    ids = select(ids, vec4<u32>(i), next > keys);
    keys = max(keys, next);
  }
  ids = ids * 4 + vec4<u32>(0, 1, 2, 3);
  let key = max(max(keys.x, keys.y), max(keys.z, keys.w));
  let mine = select(vec4<u32>(0xffffffffu), ids, keys == vec4<u32>(key));
  best_keys[lane] = key;
  best_ids[lane] = min(min(mine.x, mine.y), min(mine.z, mine.w));
  broken[lane] = select(0u, 1u, any(bad));
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      let key_a = best_keys[lane];
      let key_b = best_keys[lane + half];
      let id_a = best_ids[lane];
      let id_b = best_ids[lane + half];
      best_keys[lane] = max(key_a, key_b);
      best_ids[lane] = select(select(id_b, id_a, key_a > key_b), min(id_a, id_b), key_a == key_b);
      broken[lane] |= broken[lane + half];
    }
    workgroupBarrier();
  }
  if (lane == 0) {
    if ((broken[0] | select(0u, 1u, best_keys[0] <= KEY_LOWEST)) != 0) {
      y[row] = vec4<u32>(0, 0, 1, 0);
    } else {
      let id = best_ids[0];
      y[row] = vec4<u32>(id, logits[row * STRIDE + id / 4][id % 4], 0, 0);
    }
  }
}
