// Scores with linear biases: SCALE q k - slope (position of the query - position of the key). Of n heads, n a power of two, head h has the
// slope 2^(-8 (h + 1) / n); heads beyond the largest such n have every other slope of 2n heads. The same formula is in
// kernels/attention.ts. Consts: SCALE, ALIBI_HEADS (n). Source: arXiv:2108.12409.

/// The slope of a query head.
fn score_head(head: u32) -> f32 {
  let power = select(2 * (head + 1), 2 * (head - ALIBI_HEADS) + 1, head >= ALIBI_HEADS);
  return exp2(-4.0 * f32(power) / f32(ALIBI_HEADS));
}

fn score(product: f32, of_head: f32, position: u32, key: u32) -> f32 {
  return product * SCALE - of_head * f32(position - key);
}
