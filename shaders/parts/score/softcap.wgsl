// Scores that stay between -SOFTCAP and SOFTCAP: SOFTCAP tanh(SCALE q k / SOFTCAP). Consts: SCALE, SOFTCAP. Source: arXiv:2408.00118.

/// What scores of a query head need to know of it.
fn score_head(head: u32) -> f32 {
  return 0.0;
}

/// tanh from the exponential of what is not above zero: no product overflows it, and NaN stays NaN.
fn score(product: f32, of_head: f32, position: u32, key: u32) -> f32 {
  let fade = exp(-2.0 * abs(product) * (SCALE / SOFTCAP));
  return SOFTCAP * sign(product) * (1.0 - fade) / (1.0 + fade);
}
