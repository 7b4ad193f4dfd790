// What is added to the sum of weight row `row`: its bias. Bindings: bias array<f32>.

fn bias_of(row: u32) -> f32 {
  return bias[row];
}
