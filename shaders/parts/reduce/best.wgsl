// The best (value, index) of a workgroup of WG (a power of two) lanes: the largest value, the lowest index among equals.
// Call it in uniform control flow; every lane gets the result. Workgroup memory: 2 WG words.
// Consts: WG.

struct Best { value: f32, index: u32 }

fn better(a: Best, b: Best) -> bool {
  return a.value > b.value || (a.value == b.value && a.index < b.index);
}

var<workgroup> best_scratch: array<Best, WG>;

fn reduce_best(mine: Best, lane: u32) -> Best {
  best_scratch[lane] = mine;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half && better(best_scratch[lane + half], best_scratch[lane])) {
      best_scratch[lane] = best_scratch[lane + half];
    }
    workgroupBarrier();
  }
  let result = best_scratch[0];
  workgroupBarrier();
  return result;
}
