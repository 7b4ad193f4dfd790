// Causal attention: a query sees every key up to its own position.

/// First key that any query from `position` on sees.
fn mask_first(position: u32) -> u32 {
  return 0;
}

fn mask_allows(position: u32, key: u32) -> bool {
  return key <= position;
}
