// activation(v), activation_of(v): relu(x) = max(x, 0) of four numbers, of one. As a sum it is just
// as exact, and what is no number stays none, which max would hide.

fn activation(v: vec4<f32>) -> vec4<f32> {
  return 0.5 * (v + abs(v));
}

fn activation_of(v: f32) -> f32 {
  return 0.5 * (v + abs(v));
}
