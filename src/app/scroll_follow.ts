// Keeps the end of a growing column in sight, unless its reader has scrolled away from it.

/** Nearer to the end than this many pixels counts as being at the end. */
const nearness = 48;

export interface ScrollFollow {
  /** Call after the content has grown. */
  readonly grown: () => void;
  /** Goes to the end and follows it again. */
  readonly jump: () => void;
}

/** @param onFollowing told whenever following starts or ends */
export function followEnd(scroller: HTMLElement, onFollowing: (following: boolean) => void): ScrollFollow {
  let following = true;
  const set = (value: boolean): void => {
    if (following === value) return;
    following = value;
    onFollowing(value);
  };
  const toEnd = (): void => {
    scroller.scrollTop = scroller.scrollHeight;
  };
  let lastTop = 0;
  scroller.addEventListener(
    "scroll",
    () => {
      const { scrollTop, clientHeight, scrollHeight } = scroller;
      // Content that grows or shrinks also fires this; only a reader moves up while the end is out of sight.
      if (scrollHeight - scrollTop - clientHeight <= nearness) set(true);
      else if (scrollTop < lastTop) set(false);
      lastTop = scrollTop;
    },
    { passive: true },
  );
  new ResizeObserver(() => {
    if (following) toEnd();
  }).observe(scroller);
  return {
    grown() {
      if (following) toEnd();
    },
    jump() {
      set(true);
      toEnd();
    },
  };
}
