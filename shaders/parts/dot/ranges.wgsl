// Products in f32 with activations that attention_decode left in ranges: each is a sum over those that hold keys.
// x_block(row, block): 32 activations of a row; x_four(row, i): those from 4 * i on.
// Bindings and consts: those of prologue/ranges, which has made the shares. Parts: block32, block, dot/product, ranges, prologue/ranges.

fn x_four(row: u32, i: u32) -> vec4<f32> {
  var sum = vec4<f32>();
  // Padding of the last block; NaN may lie behind the last head.
  if (i < HEADS * D4) {
    let used = active_ranges(step.row[row].position);
    let first = i / D4 * SPLITS;
    let at = row * PARTIAL_STRIDE + first * (D4 + 1u) + 1u + i % D4;
    for (var range = 0u; range < used; range++) {
      sum += ranges_shares[first + range] * partials[at + range * (D4 + 1u)];
    }
  }
  return sum;
}

/// A block that lies in one head: eight loads at once.
fn ranges_block(row: u32, block: u32) -> XBlock {
  let used = active_ranges(step.row[row].position);
  let first = block * 8u / D4 * SPLITS;
  var at = row * PARTIAL_STRIDE + first * (D4 + 1u) + 1u + block * 8u % D4;
  var sums = Block32();
  for (var range = 0u; range < used; range++) {
    let share = ranges_shares[first + range];
    sums.v0 += share * partials[at];
    sums.v1 += share * partials[at + 1u];
    sums.v2 += share * partials[at + 2u];
    sums.v3 += share * partials[at + 3u];
    sums.v4 += share * partials[at + 4u];
    sums.v5 += share * partials[at + 5u];
    sums.v6 += share * partials[at + 6u];
    sums.v7 += share * partials[at + 7u];
    at += D4 + 1u;
  }
  return sums;
}

fn x_block(row: u32, block: u32) -> XBlock {
  if (D4 % 8u == 0u) {
    return ranges_block(row, block);
  }
  return x_fours(row, block);
}
