// The last kernel of a decode step: row[r].token = chosen id, row[r].position += 1, where the choice is sound.
// chosen [rows, 4] of argmax; state: the step state as words, 4 of header and 4 a row.
// Grid: one thread per row. Workgroup memory: none.
// Consts: WG, ROWS. Parts: none.

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.x;
  if (row >= ROWS || row >= state[0]) {
    return;
  }
  if (chosen[row * 4u + 2u] == 0u) {
    state[4u + row * 4u] = chosen[row * 4u];
    state[4u + row * 4u + 1u] += 1u;
  }
}
