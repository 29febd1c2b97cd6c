import { systemClock } from "@parallax/core";
import type { Io } from "../io.ts";

/** How often the line is drawn anew, in milliseconds. */
const everyMs = 500;

/**
 * Waits for `work`, and meanwhile shows what it waits for and for how long, on a terminal only. `about` is asked each time;
 * whatever fails in it changes nothing.
 */
export async function withProgress<Result>(
  io: Io,
  about: () => string | Promise<string>,
  work: Promise<Result>,
): Promise<Result> {
  const { progress } = io;
  if (!progress) return work;
  const startedMs = systemClock.now();
  let isOver = false;
  let shown = "";
  const draw = async (): Promise<void> => {
    shown = await Promise.resolve(about()).catch(() => shown);
    const seconds = Math.floor((systemClock.now() - startedMs) / 1000);
    if (!isOver && shown !== "")
      progress(`${shown} (${seconds < 60 ? "" : `${Math.floor(seconds / 60)}m `}${seconds % 60}s)`);
  };
  const stop = systemClock.every(everyMs, () => void draw());
  try {
    return await work;
  } finally {
    isOver = true;
    stop();
    progress();
  }
}
