// What a column is that two weight rows make: a gated linear unit, y = f(gate) * up with gate the sum of row `col`, up that of row
// SECOND + col. Consts: SECOND. Parts: bias, activation. Paper: arXiv:2002.05202.

fn outcome(col: u32, sums: vec2<f32>) -> f32 {
  let gate = sums.x + bias_of(col);
  return activation_of(gate) * (sums.y + bias_of(SECOND + col));
}
