// Heads that are not normalised. As in head_norm/rms.

const HEAD_NORMED = false;

fn head_scale(key: bool, squares: f32) -> f32 {
  return 1.0;
}

fn head_weight(key: bool, i: u32) -> vec4<f32> {
  return vec4<f32>(1.0);
}
