// Penalties, bias and mask of a slot on four logits, as src/sampling/penalties.ts has them.
// Needs `sampling`, `adjust`, `allowed`. Consts: COLS, SLOT_WORDS, MASK_WORDS. Parts: sample/candidate.

/// What changes a slot's logits; the words of base/layout.ts.
struct Adjusted {
  slot: u32,
  flags: u32,
  repetition: f32,
  repetition_inverse: f32,
  frequency: f32,
  presence: f32,
}

fn adjusted_of(slot: u32) -> Adjusted {
  let at = slot * SLOT_WORDS;
  return Adjusted(slot, sampling[at + 9], bitcast<f32>(sampling[at + 4]), bitcast<f32>(sampling[at + 29]),
    bitcast<f32>(sampling[at + 5]), bitcast<f32>(sampling[at + 6]));
}

/// The candidates that four raw logits become.
fn adjusted(bits: vec4<u32>, col4: u32, by: Adjusted) -> vec4<u32> {
  var result = candidate_raw(bits);
  if (by.flags == 0) {
    return result;
  }
  var values = bitcast<vec4<f32>>(candidate_clamp(bits));
  if ((by.flags & 3) != 0) {
    for (var c = 0u; c < min(4, COLS - min(COLS, 4 * col4)); c++) {
      let own = adjust[by.slot * COLS + 4 * col4 + c];
      var value = values[c];
      if ((by.flags & 1) != 0 && own.x != 0) {
        value *= select(by.repetition, by.repetition_inverse, value > 0.0);
        let count = own.x & 0x7fffffff;
        if (count > 0) {
          value -= f32(count) * by.frequency + by.presence;
        }
      }
      if ((by.flags & 2) != 0 && own.y != 0) {
        value += bitcast<f32>(own.y);
      }
      values[c] = value;
    }
  }
  var open = candidate_finite(bits);
  if ((by.flags & 4) != 0) {
    let word = allowed[by.slot * MASK_WORDS + min(col4 / 8, MASK_WORDS - 1)];
    open &= ((vec4<u32>(word) >> (vec4<u32>(0, 1, 2, 3) + 4 * (col4 % 8))) & vec4<u32>(1)) == vec4<u32>(1);
  }
  return select(vec4<u32>(CANDIDATE_LOWEST), candidate_clamp(bitcast<vec4<u32>>(values)), open);
}

/// Whether a slot is greedy, whether its candidates are looked at again, and whether the mass of all of them is.
fn adjusted_greedy(slot: u32) -> bool {
  return (sampling[slot * SLOT_WORDS] & 0x7fffffff) == 0 || sampling[slot * SLOT_WORDS + 1] == 1;
}

fn adjusted_cuts(slot: u32) -> bool {
  let k = sampling[slot * SLOT_WORDS + 1];
  return k > 0 && k < COLS;
}
