// (y_a, y_b) = (a cos - b sin, a sin + b cos) for pairs of each head, at angles of a row's position + step.shift; dimensions from
// ROTARY on pass through.
// x, y [rows, STRIDE]; turns [MAX_POSITIONS, ROTARY / 2] of (cos, sin).
// Grid: (ceil(STRIDE / 2 / WG), rows), one thread per pair. Workgroup memory: none.
// Consts: WG, STRIDE, HEADS, D (head size), ROTARY, INTERLEAVED, MAX_POSITIONS. Parts: none.
// Paper: arXiv:2104.09864.

const HALF = ROTARY / 2;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  let item = wg.x * WG + lane;
  if (row >= step.rows || item >= STRIDE / 2) {
    return;
  }
  if (item >= HEADS * D / 2) {
    y[row * STRIDE + 2 * item] = act_t();
    y[row * STRIDE + 2 * item + 1] = act_t();
    return;
  }
  let head = item / (D / 2);
  let pair = item % (D / 2);
  let base = row * STRIDE + head * D;
  if (pair >= HALF) {
    y[base + 2 * pair] = x[base + 2 * pair];
    y[base + 2 * pair + 1] = x[base + 2 * pair + 1];
    return;
  }
  let first = base + select(pair, 2 * pair, INTERLEAVED);
  let second = first + select(HALF, 1u, INTERLEAVED);
  let position = min(step.row[row].position + step.shift, MAX_POSITIONS - 1);
  let turn = turns[position * HALF + pair];
  let a = f32(x[first]);
  let b = f32(x[second]);
  y[first] = act_t(a * turn.x - b * turn.y);
  y[second] = act_t(a * turn.y + b * turn.x);
}
