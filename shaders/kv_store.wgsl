// kv[slot, position] = (k, v) of each row.
// k, v [rows, STRIDE] in vec4; kv as in parts/kv.
// Grid: (ceil(KV_HEADS * D4 / WG), rows), one thread per four of k and of v. Workgroup memory: none.
// Consts: WG, STRIDE, those of the parts. Parts: kv, kv_number.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  let col = wg.x * WG + lane;
  if (row >= step.rows || col >= KV_HEADS * D4) {
    return;
  }
  let to = kv_index(step.row[row].slot, step.row[row].position, col / D4) + col % D4;
  kv[to] = kv_pack(vec4<f32>(k[row * STRIDE + col]));
  kv[to + kv_values()] = kv_pack(vec4<f32>(v[row * STRIDE + col]));
}
