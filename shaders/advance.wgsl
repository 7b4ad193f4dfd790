// row.token = id and row.position += 1 for the rows that a token was chosen for; flagged ones stay. Where all stay, the step state says
// no rows, so that steps already in flight do nothing.
// chosen [output rows] of (id, bits, flag, counter); state: the words of the step state, whose uniform this is the only writer of.
// Grid: one thread: a step has a row for each sequence, and the number of rows may change only after all have been looked at.
// Workgroup memory: none. Consts: HEADER_WORDS, ROW_WORDS. Parts: none.

@compute @workgroup_size(1)
fn main() {
  let count = state[1];
  var moved = 0u;
  for (var i = 0u; i < count; i++) {
    if (chosen[i].z == 0) {
      let row = HEADER_WORDS + state[HEADER_WORDS + i * ROW_WORDS + 3] * ROW_WORDS;
      state[row] = chosen[i].x;
      state[row + 1] += 1;
      moved++;
    }
  }
  if (moved == 0) {
    state[0] = 0;
    state[1] = 0;
  }
}
