// activation(v), activation_of(v): silu(x) = x / (1 + e^-x) of four numbers, of one. The
// clamp keeps exp away from overflow, which not every driver turns into the right limit.

fn activation(v: vec4<f32>) -> vec4<f32> {
  return v / (1.0 + exp(-max(v, vec4<f32>(-80.0))));
}

fn activation_of(v: f32) -> f32 {
  return v / (1.0 + exp(-max(v, -80.0)));
}
