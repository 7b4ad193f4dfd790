// Reductions over a workgroup of WG (a power of two) lanes by workgroup memory alone: right at any subgroup size.
// Call them in uniform control flow; every lane gets the result. Workgroup memory: WG f32.
// Consts: WG.

var<workgroup> reduce_scratch: array<f32, WG>;

fn reduce_add(value: f32, lane: u32) -> f32 {
  reduce_scratch[lane] = value;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      reduce_scratch[lane] += reduce_scratch[lane + half];
    }
    workgroupBarrier();
  }
  let result = reduce_scratch[0];
  workgroupBarrier();
  return result;
}

fn reduce_max(value: f32, lane: u32) -> f32 {
  reduce_scratch[lane] = value;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      reduce_scratch[lane] = max(reduce_scratch[lane], reduce_scratch[lane + half]);
    }
    workgroupBarrier();
  }
  let result = reduce_scratch[0];
  workgroupBarrier();
  return result;
}
