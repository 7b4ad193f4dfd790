// Moves the kept tokens of a sequence together: place i of slot moves[4] gets K and V of place s_i of slot moves[3], keys turned back by b_i
// positions where b_i > 0. Both slots may be one, for s_i >= i and s grows with i.
// moves: [first place, one past the last, words from one kv head's list to the next (0: all have the first's), slot read, slot written, 0,
// 0, 0], then [kv head][place from `first` on] of (s, b). kv as in parts/kv; turns as in parts/turn.
// Grid: (ceil(2 KV_HEADS D4 / WG)), one thread per kv head and four dimensions of K, with those that turn with them, or of V. It takes
// places in order, BATCH at a time: what it writes, nobody reads any more. Workgroup memory: none, and no barrier.
// Consts: WG, BATCH (4; 1 for software drivers, which take seconds to compile more), those of the parts. Parts: turn, kv, kv_number.

const MOVES_HEADER = 8u;

/// Turns dimensions 4i.. of a key back. The table's scale of cosines, which keys have already, is what it has at position 0.
fn turned_back(i: u32, mine: vec4<f32>, partner: vec4<f32>, positions: u32) -> vec4<f32> {
  let scale = select(1.0, 1.0 / turns[0].x, i < ROTARY / 4u);
  return turn(i, mine * scale, -partner * scale, positions);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let item = wg.x * WG + lane;
  let head = item / (2 * D4);
  if (head >= KV_HEADS) {
    return;
  }
  let values = item % (2 * D4) >= D4;
  let mine = item % D4;
  let partner = select(turn_partner(mine), mine, values);
  // The first of two fours that turn together moves both.
  if (partner < mine) {
    return;
  }
  let part = select(0u, kv_values(), values);
  let end = moves[1];
  for (var first = moves[0]; first < end; first += BATCH) {
    let count = min(BATCH, end - first);
    var a = array<kv_four, BATCH>();
    var b = array<kv_four, BATCH>();
    var back = array<u32, BATCH>();
    for (var j = 0u; j < count; j++) {
      let at = MOVES_HEADER + head * moves[2] + 2 * (first + j - moves[0]);
      let source = kv_index(moves[3], moves[at], head) + part;
      a[j] = kv[source + mine];
      b[j] = kv[source + partner];
      back[j] = select(moves[at + 1], 0u, values);
    }
    for (var j = 0u; j < count; j++) {
      let to = kv_index(moves[4], first + j, head) + part;
      if (back[j] == 0) {
        kv[to + mine] = a[j];
        kv[to + partner] = b[j];
      } else {
        let x = kv_unpack(a[j]);
        let y = kv_unpack(b[j]);
        kv[to + mine] = kv_pack(turned_back(mine, x, y, back[j]));
        kv[to + partner] = kv_pack(turned_back(partner, y, x, back[j]));
      }
    }
  }
}
