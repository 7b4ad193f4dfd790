// Causal attention: a query sees every key up to its own position.

/// First key from `key` on that a query at `position` or a later one sees.
fn mask_next(key: u32, position: u32) -> u32 {
  return key;
}

/// Whether queries at positions.x to positions.y see all of the keys [keys.x, keys.y).
fn mask_whole(positions: vec2<u32>, keys: vec2<u32>) -> bool {
  return keys.y <= positions.x + 1;
}

fn mask_allows(position: u32, key: u32) -> bool {
  return key <= position;
}
