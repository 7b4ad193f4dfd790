// How decode cuts the past of a position: at most SPLITS ranges of SPLIT_TOKENS positions, longer ones once these do not suffice.
// The same formulas are in kernels/attention.ts. Consts: SPLITS, SPLIT_TOKENS (a multiple of 8).

/// Where the first range begins.
fn range_first(position: u32) -> u32 {
  return 0;
}

/// Positions of a range, a multiple of 8.
fn range_tokens(position: u32) -> u32 {
  return max(SPLIT_TOKENS, (position + 8 * SPLITS) / (8 * SPLITS) * 8);
}

/// Ranges that hold keys: 1 to SPLITS.
fn active_ranges(position: u32) -> u32 {
  return position / range_tokens(position) + 1;
}
