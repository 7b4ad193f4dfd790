// What a thread of a CPU driver does with the outputs of its four queries (parts/attend): leaves them as codes. A head is whole
// blocks (D4 a multiple of 8), so that rows have no padding.
// put_queries(row, head, count, share): as in queries/store.
// Consts: HEADS, D4, STRIDE (vec4 per row), SCALES_STRIDE. Parts: attend/four, codes/thread, codes/bytes, keep.

fn query_four(query: u32, i: u32) -> vec4<f32> {
  switch (query) {
    case 0u: {
      return attend_acc0[i];
    }
    case 1u: {
      return attend_acc1[i];
    }
    case 2u: {
      return attend_acc2[i];
    }
    default: {
      return attend_acc3[i];
    }
  }
}

fn put_queries(row: u32, head: u32, count: u32, share: vec4<f32>) {
  var values: array<vec4<f32>, 8>;
  for (var query = 0u; query < count; query++) {
    for (var block = 0u; block < attend_width() / 8u; block++) {
      for (var i = 0u; i < 8u + step.reserved0; i++) {
        values[i] = query_four(query, block * 8u + i) * share[query];
      }
      put_block(row + query, head * (D4 / 8u) + block, &values);
    }
    if (head == HEADS - 1) {
      for (var i = STRIDE / 8u; i < SCALES_STRIDE; i++) {
        scales[(row + query) * SCALES_STRIDE + i] = 0u;
      }
    }
  }
}

fn attend_write(at: u32, value: vec4<f32>) {}
