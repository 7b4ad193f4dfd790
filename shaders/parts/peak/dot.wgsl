// The part of peak.wgsl that multiplies bytes: four dot4I8Packed a step, sixteen multiply-adds. Each needs the one before, so
// that none can be left out.

alias num4 = vec4<i32>;
alias in4 = vec4<u32>;

fn load(i: u32) -> in4 {
  return bitcast<in4>(x[i]);
}

fn start(i: u32) -> num4 {
  return num4(i32(i));
}

fn advance(c: num4, a: in4, b: in4) -> num4 {
  let d = bitcast<vec4<u32>>(c);
  return vec4<i32>(
    c.x + dot4I8Packed(d.x, b.x),
    c.y + dot4I8Packed(d.y, b.y),
    c.z + dot4I8Packed(d.z, a.z),
    c.w + dot4I8Packed(d.w, a.w),
  );
}

fn total(c: num4) -> f32 {
  return f32((c.x ^ c.y) + (c.z ^ c.w));
}
