// Softmax over keys alone. Consts: LOWEST.

/// Score of what a query head may attend to beside its keys, which has no value.
fn sink_top(head: u32) -> f32 {
  return LOWEST;
}

/// How often it counts in the sum of a row.
fn sink_sum() -> f32 {
  return 0.0;
}
