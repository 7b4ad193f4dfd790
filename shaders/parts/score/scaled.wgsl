// Scaled dot-product scores. Consts: SCALE.

fn score(product: f32) -> f32 {
  return product * SCALE;
}
