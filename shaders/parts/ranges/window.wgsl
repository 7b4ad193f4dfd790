// How decode cuts the RANGE_WINDOW newest positions up to one: at most SPLITS ranges of SPLIT_TOKENS positions, longer ones once these do
// not suffice. The first range also has the tokens before them that stay visible.
// The same formulas are in kernels/attention.ts. Consts: SPLITS, SPLIT_TOKENS (a multiple of 8), RANGE_WINDOW.

/// Where the first range begins: at a multiple of 8.
fn range_first(position: u32) -> u32 {
  return (position + 1 - min(position + 1, RANGE_WINDOW)) / 8 * 8;
}

/// Positions of a range, a multiple of 8.
fn range_tokens(position: u32) -> u32 {
  return max(SPLIT_TOKENS, (position - range_first(position) + 8 * SPLITS) / (8 * SPLITS) * 8);
}

/// Ranges that hold keys: 1 to SPLITS.
fn active_ranges(position: u32) -> u32 {
  return (position - range_first(position)) / range_tokens(position) + 1;
}
