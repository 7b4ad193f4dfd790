// The part of peak.wgsl that multiplies and adds: four multiply-adds a step, in the type num_t. x is cut to what lets chains of any
// length settle, so that no infinity comes up.

alias num4 = vec4<num_t>;
alias in4 = vec4<num_t>;

fn load(i: u32) -> in4 {
  return in4(clamp(x[i], vec4<f32>(-0.5), vec4<f32>(0.5)));
}

fn start(i: u32) -> num4 {
  return num4(num_t(f32(i & 7u)));
}

fn advance(c: num4, a: in4, b: in4) -> num4 {
  return fma(c, a, b);
}

fn total(c: num4) -> f32 {
  return f32(c.x + c.y + c.z + c.w);
}
