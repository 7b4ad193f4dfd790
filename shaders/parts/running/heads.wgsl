// What a stripe of attention_decode has of up to SET_HEADS (1 to 4) heads so far: maxima and sums, and sums of one vec4 of their values.
// Consts: SET_HEADS. Source: running maximum, arXiv:1805.02867.

/// A stripe's: maxima and sums for each head, sums of values for one dimension of each.
struct Running {
  top: vec4<f32>,
  sum: vec4<f32>,
  acc0: vec4<f32>,
  acc1: vec4<f32>,
  acc2: vec4<f32>,
  acc3: vec4<f32>,
}

fn add_value(run: ptr<function, Running>, p: vec4<f32>, v: vec4<f32>) {
  (*run).sum += p;
  (*run).acc0 += p.x * v;
  if (SET_HEADS > 1u) {
    (*run).acc1 += p.y * v;
  }
  if (SET_HEADS > 2u) {
    (*run).acc2 += p.z * v;
  }
  if (SET_HEADS > 3u) {
    (*run).acc3 += p.w * v;
  }
}

fn scale_run(run: ptr<function, Running>, top: vec4<f32>) {
  let fade = exp((*run).top - top);
  (*run).top = top;
  (*run).sum *= fade;
  (*run).acc0 *= fade.x;
  (*run).acc1 *= fade.y;
  (*run).acc2 *= fade.z;
  (*run).acc3 *= fade.w;
}

fn share_of(run: ptr<function, Running>, head: u32) -> vec4<f32> {
  switch (head) {
    case 0u: {
      return (*run).acc0;
    }
    case 1u: {
      return (*run).acc1;
    }
    case 2u: {
      return (*run).acc2;
    }
    default: {
      return (*run).acc3;
    }
  }
}
