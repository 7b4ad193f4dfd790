// activation(v), activation_of(v): gelu(x) in its tanh form, as in ggml, of four numbers, of one. The
// clamp keeps tanh away from overflow, which not every driver turns into the right limit.

fn activation(v: vec4<f32>) -> vec4<f32> {
  let u = 0.7978845608 * (v + 0.044715 * v * v * v);
  return 0.5 * v * (1.0 + tanh(clamp(u, vec4<f32>(-15.0), vec4<f32>(15.0))));
}

fn activation_of(v: f32) -> f32 {
  let u = 0.7978845608 * (v + 0.044715 * v * v * v);
  return 0.5 * v * (1.0 + tanh(clamp(u, -15.0, 15.0)));
}
