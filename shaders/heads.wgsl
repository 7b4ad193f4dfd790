// From stacked projections: q = RoPE(norm(query heads)); pages[slot, position] = (RoPE(norm(key heads)), value heads).
// qkv [rows, QKV_STRIDE], q [rows, STRIDE], q_norm, k_norm [D4] in vec4; kv as in parts/kv.
// Grid: (HEADS + KV_HEADS, rows), one workgroup per query head, or per kv head with its key and value.
// Workgroup memory: WG f32 (reduce).
// Consts: WG, HEADS, QKV_STRIDE, KEY_START, VALUE_START (vec4), STRIDE, those of the parts.
// Parts: head, head_norm, turn, kv, kv_number, reduce.
// Papers: arXiv:1910.07467, arXiv:2104.09864.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  if (row >= step.rows) {
    return;
  }
  let position = step.row[row].position;
  let key = wg.x >= HEADS;
  let head = select(wg.x, wg.x - HEADS, key);
  let base = row * QKV_STRIDE + select(0u, KEY_START, key) + head * D4;
  var squares = 0.0;
  if (HEAD_NORMED) {
    for (var i = lane; i < D4; i += WG) {
      let x = vec4<f32>(qkv[base + i]);
      squares += dot(x, x);
    }
    squares = reduce_add(squares, lane);
  }
  let scale = head_scale(key, squares);
  if (key) {
    let to = kv_index(step.row[row].slot, position, head);
    let value = row * QKV_STRIDE + VALUE_START + head * D4;
    for (var i = lane; i < D4; i += WG) {
      kv[to + i] = kv_pack(head_four(base, i, true, scale, position));
      kv[to + kv_values() + i] = kv_pack(vec4<f32>(qkv[value + i]));
    }
    return;
  }
  let to = row * STRIDE + head * D4;
  for (var i = lane; i < D4; i += WG) {
    q[to + i] = vec4<act_t>(head_four(base, i, false, scale, position));
  }
  if (head == HEADS - 1) {
    for (var i = HEADS * D4 + lane; i < STRIDE; i += WG) {
      q[row * STRIDE + i] = vec4<act_t>();
    }
  }
}
