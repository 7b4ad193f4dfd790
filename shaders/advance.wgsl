// row.token = id and row.position += 1 for the rows that argmax chose a token for; flagged ones stay.
// chosen [output rows] of (id, bits, flag, 0); state: the words of the step state, whose uniform this is the only writer of.
// Grid: one workgroup. Workgroup memory: none.
// Consts: WG, HEADER_WORDS, ROW_WORDS. Parts: none.

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  for (var i = lane; i < state[1]; i += WG) {
    if (chosen[i].z == 0) {
      let row = HEADER_WORDS + state[HEADER_WORDS + i * ROW_WORDS + 3] * ROW_WORDS;
      state[row] = chosen[i].x;
      state[row + 1] += 1;
    }
  }
}
