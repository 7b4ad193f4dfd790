// What is added to the sum of weight row `row`: nothing.

fn bias_of(row: u32) -> f32 {
  return 0.0;
}
