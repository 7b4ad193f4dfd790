// A sliding window: a query sees the MASK_WINDOW newest keys up to its own position, and the first MASK_SINKS of the sequence.
// Consts: MASK_WINDOW (at least 1), MASK_SINKS. Sources: arXiv:2004.05150 (window), arXiv:2309.17453 (first tokens kept).

/// First key from `key` on that a query at `position` or a later one sees.
fn mask_next(key: u32, position: u32) -> u32 {
  return select(max(key, position + 1 - min(position + 1, MASK_WINDOW)), key, key < MASK_SINKS);
}

/// Whether queries at positions.x to positions.y see all of the keys [keys.x, keys.y).
fn mask_whole(positions: vec2<u32>, keys: vec2<u32>) -> bool {
  return (keys.y <= positions.x + 1) & ((keys.x + MASK_WINDOW > positions.y) | (keys.y <= MASK_SINKS));
}

fn mask_allows(position: u32, key: u32) -> bool {
  return (key <= position) & ((key + MASK_WINDOW > position) | (key < MASK_SINKS));
}
