/** A timer that is armed, or was. */
export interface Timer {
  /** When it is due, on the clock that it was armed on. */
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** Timers by the time at which they are due, and of one moment by their arming: a binary heap. */
export interface TimerQueue {
  readonly size: number;
  add(timer: Timer): void;
  /** Takes a timer out. False if it was out already. */
  remove(timer: Timer): boolean;
  /** The timer that is due next. */
  first(): Timer | undefined;
  clear(): void;
}

/** Below this size nobody minds what was cancelled. */
const smallSize = 64;

export function createTimerQueue(): TimerQueue {
  let heap: Timer[] = [];
  let size = 0;

  function lift(timer: Timer, from: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (!above || !isBefore(timer, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = timer;
  }

  function sink(timer: Timer, from: number): void {
    let index = from;
    for (;;) {
      let child = 2 * index + 1;
      let below = heap[child];
      if (!below) break;
      const right = heap[child + 1];
      if (right && isBefore(right, below)) {
        child += 1;
        below = right;
      }
      if (!isBefore(below, timer)) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = timer;
  }

  function dropFirst(): void {
    const last = heap.pop();
    if (last && heap.length > 0) sink(last, 0);
  }

  /** What was cancelled is taken out when it comes to the top, or when most of the heap is. */
  function tidy(): void {
    if (heap.length < smallSize || heap.length < 2 * size) return;
    heap = heap.filter(({ cancelled }) => !cancelled);
    for (let index = (heap.length >> 1) - 1; index >= 0; index -= 1) {
      const timer = heap[index];
      if (timer) sink(timer, index);
    }
  }

  return {
    get size() {
      return size;
    },
    add(timer) {
      size += 1;
      heap.push(timer);
      lift(timer, heap.length - 1);
    },
    remove(timer) {
      if (timer.cancelled) return false;
      timer.cancelled = true;
      size -= 1;
      tidy();
      return true;
    },
    first() {
      let first = heap[0];
      while (first?.cancelled) {
        dropFirst();
        first = heap[0];
      }
      return first;
    },
    clear() {
      for (const timer of heap) timer.cancelled = true;
      heap = [];
      size = 0;
    },
  };
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
}
