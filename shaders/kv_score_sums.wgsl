// sums[row, head] = log of the sum of exp(observed score) over all keys that the row sees, where scores[0] is not 0; else nothing.
// q [rows, STRIDE] in vec4, heads of D4; sums [rows, SUM_STRIDE]; kv as in parts/kv.
// Grid: (ceil(rows / 4 / WG), SUM_STRIDE), one thread per four rows of a query head. Workgroup memory: none, and no barrier.
// Consts: WG, HEADS, GROUP, STRIDE, SUM_STRIDE, those of the parts. Parts: observe, kv, kv_number, kv_read, loop.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = (wg.x * WG + lane) * 4;
  let head = wg.y;
  if (scores[0] == 0.0 || row >= step.rows) {
    return;
  }
  let count = min(step.rows - row, 4);
  if (head >= HEADS) {
    for (var r = 0u; r < count; r++) {
      sums[(row + r) * SUM_STRIDE + head] = 0.0;
    }
    return;
  }
  // Missing rows of the last four repeat its last one and are not stored.
  let rows = row + min(vec4<u32>(0, 1, 2, 3), vec4<u32>(count - 1));
  let at = rows * STRIDE + head * D4;
  let first = step.row[row].position;
  let positions = first + rows - row;
  var top = vec4<f32>(-3e38);
  var sum = vec4<f32>();
  for (var key = 0u; key < first + count; key++) {
    let from_key = kv_index(step.row[row].slot, key, head / GROUP);
    var products = vec4<f32>();
    for (var i = 0u; i < upto(D4); i++) {
      let k = kv_key(from_key, i);
      products += vec4<f32>(
        dot(vec4<f32>(q[at.x + i]), k),
        dot(vec4<f32>(q[at.y + i]), k),
        dot(vec4<f32>(q[at.z + i]), k),
        dot(vec4<f32>(q[at.w + i]), k),
      );
    }
    let s = select(vec4<f32>(-3e38), observed(products, positions, key, head), vec4<u32>(key) <= positions);
    let next = max(top, s);
    sum = sum * exp(top - next) + exp(s - next);
    top = next;
  }
  let logs = top + log(sum);
  for (var r = 0u; r < count; r++) {
    sums[(row + r) * SUM_STRIDE + head] = logs[r];
  }
}
