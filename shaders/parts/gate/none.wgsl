// What a column is that one weight row makes: outcome(col, sums), the second sum unused. Parts: bias.

fn outcome(col: u32, sums: vec2<f32>) -> f32 {
  return sums.x + bias_of(col);
}
