// What is added to the sum of weight row `row`: its bias, where the dispatch has one. Bindings: bias array<f32>. Consts: BIASED (0 or 1).

fn bias_of(row: u32) -> f32 {
  return select(0.0, bias[row], BIASED == 1u);
}
