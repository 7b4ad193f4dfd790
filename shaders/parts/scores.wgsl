// Scores of a query with four keys, and which of them it sees. Consts: LOWEST. Parts: mask, score.

/// From products with keys `key` to `key + 3`.
fn scores_of(products: vec4<f32>, of_head: f32, position: u32, key: u32) -> vec4<f32> {
  return vec4<f32>(
    score(products.x, of_head, position, key),
    score(products.y, of_head, position, key + 1),
    score(products.z, of_head, position, key + 2),
    score(products.w, of_head, position, key + 3),
  );
}

fn scores_seen(scores: vec4<f32>, position: u32, key: u32) -> vec4<f32> {
  return vec4<f32>(
    select(LOWEST, scores.x, mask_allows(position, key)),
    select(LOWEST, scores.y, mask_allows(position, key + 1)),
    select(LOWEST, scores.z, mask_allows(position, key + 2)),
    select(LOWEST, scores.w, mask_allows(position, key + 3)),
  );
}
