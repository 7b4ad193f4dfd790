// y = x with the channels of each head in another order.
// x, y [rows, STRIDE]; order [KV_HEADS, D]: the channel that comes to each place; query heads of a group share their kv head's.
// Grid: (ceil(STRIDE / WG), rows), one thread per channel. Workgroup memory: none.
// Consts: WG, STRIDE, HEADS, GROUP (heads that share an order), D (head size). Parts: none.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  let place = wg.x * WG + lane;
  if (row >= step.rows || place >= STRIDE) {
    return;
  }
  let head = place / D;
  var value = act_t();
  if (head < HEADS) {
    value = x[row * STRIDE + head * D + order[head / GROUP * D + place % D]];
  }
  y[row * STRIDE + place] = value;
}
