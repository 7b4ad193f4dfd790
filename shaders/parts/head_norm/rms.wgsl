// RMS norm of query and key heads. head_scale(key, squares): factor of a head from the sum of its squares; head_weight(key, i): that of
// vec4 i. Needs q_norm, k_norm (vec4 arrays). Consts: D4, Q_EPS, K_EPS.
// Paper: arXiv:1910.07467.

const HEAD_NORMED = true;

fn head_scale(key: bool, squares: f32) -> f32 {
  return inverseSqrt(squares / f32(4u * D4) + select(Q_EPS, K_EPS, key));
}

fn head_weight(key: bool, i: u32) -> vec4<f32> {
  if (key) {
    return k_norm[i];
  }
  return q_norm[i];
}
