// What is added to element `at` of y: the same element of the residual, which has y's rows and columns.
// Bindings: residual array<act_t>.

fn residual_of(at: u32) -> f32 {
  return f32(residual[at]);
}
