// The reductions of a workgroup that is one lane (CPU drivers): what it has is the result. No workgroup memory, no barrier.
// Consts: none.

struct Best { value: f32, index: u32 }

fn better(a: Best, b: Best) -> bool {
  return a.value > b.value || (a.value == b.value && a.index < b.index);
}

fn reduce_best(mine: Best, lane: u32) -> Best {
  return mine;
}

fn reduce_add(value: f32, lane: u32) -> f32 {
  return value;
}
