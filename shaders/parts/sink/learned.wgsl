// Softmax over keys and a logit of each query head that takes its share and has no value. Needs sinks [HEADS] in f32. Source: arXiv:2508.10925.

/// Score of what a query head may attend to beside its keys, which has no value.
fn sink_top(head: u32) -> f32 {
  return sinks[head];
}

/// How often it counts in the sum of a row.
fn sink_sum() -> f32 {
  return 1.0;
}
