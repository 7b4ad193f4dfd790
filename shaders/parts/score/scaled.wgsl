// Scaled dot-product scores. Consts: SCALE.

/// What scores of a query head need to know of it.
fn score_head(head: u32) -> f32 {
  return 0.0;
}

fn score(product: f32, of_head: f32, position: u32, key: u32) -> f32 {
  return product * SCALE;
}
