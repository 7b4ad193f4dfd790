// From stacked projections: q = RoPE(norm(query heads)); pages[slot, position] = (RoPE(norm(key heads)), value heads), for CPU
// drivers.
// qkv [rows, QKV_STRIDE], q [rows, STRIDE], q_norm, k_norm [D4] in vec4; kv as in parts/kv.
// Grid: (ceil(rows * LANES / WG), HEADS + KV_HEADS), LANES threads per query head, or per kv head with its key and value: each sums
// the whole head (lanes run in lockstep) and writes its share. All threads of a workgroup have the same head.
// Workgroup memory: none, and no barrier.
// Consts: WG, LANES, HEADS, QKV_STRIDE, KEY_START, VALUE_START (vec4), STRIDE, those of the parts.
// Parts: head, head_norm, turn, kv, kv_number, loop.
// Papers: arXiv:1910.07467, arXiv:2104.09864.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = (wg.x * WG + lane) / LANES;
  let share = lane % LANES;
  if (row >= step.rows) {
    return;
  }
  let position = step.row[row].position;
  let key = wg.y >= HEADS;
  let head = select(wg.y, wg.y - HEADS, key);
  let base = row * QKV_STRIDE + select(0u, KEY_START, key) + head * D4;
  var squares = vec4<f32>();
  if (HEAD_NORMED) {
    for (var i = 0u; i < upto(D4); i++) {
      let x = vec4<f32>(qkv[base + i]);
      squares += x * x;
    }
  }
  let scale = head_scale(key, dot(squares, vec4<f32>(1.0)));
  if (key) {
    let to = kv_index(step.row[row].slot, position, head);
    let value = row * QKV_STRIDE + VALUE_START + head * D4;
    for (var i = share; i < upto(D4); i += LANES) {
      kv[to + i] = kv_pack(head_four(base, i, true, scale, position));
      kv[to + kv_values() + i] = kv_pack(vec4<f32>(qkv[value + i]));
    }
    return;
  }
  let to = row * STRIDE + head * D4;
  for (var i = share; i < upto(D4); i += LANES) {
    q[to + i] = vec4<act_t>(head_four(base, i, false, scale, position));
  }
  if (head == HEADS - 1) {
    for (var i = HEADS * D4 + share; i < STRIDE; i += LANES) {
      q[row * STRIDE + i] = vec4<act_t>();
    }
  }
}
