import type { Io } from "@parallax/cli";
import { renderHaStatus } from "@parallax/cli";
import type { HaStatus } from "@parallax/protocol";
import cliProgress from "cli-progress";
import logUpdate from "log-update";
import colors from "picocolors";

/** What the screen of `parallax dev` shows while the cluster runs. */
export interface DevScreen {
  /** A line that stays. */
  line(text: string): void;
  status(status: HaStatus | undefined): void;
  progress(done: number, total: number): void;
  /** Leaves what is shown and draws no more. */
  stop(): void;
}

const barWidth = 40;

/** On a terminal, lines above and a live view of cluster and progress below; elsewhere, lines only. */
export function createScreen(io: Io): DevScreen {
  return io.isTty ? liveScreen() : plainScreen(io);
}

function liveScreen(): DevScreen {
  let status: HaStatus | undefined;
  let progress: { done: number; total: number; startedMs: number } | undefined;
  const draw = (): void => {
    const parts = [status ? renderHaStatus(status, colors) : undefined, progress ? bar(progress) : undefined];
    logUpdate(`\n${parts.filter((part) => part !== undefined).join("\n\n")}\n`);
  };
  return {
    line(text) {
      logUpdate.clear();
      process.stdout.write(`${text}\n`);
      if (status) draw();
    },
    status(next) {
      status = next ?? status;
      draw();
    },
    progress(done, total) {
      progress = { done, total, startedMs: progress?.startedMs ?? performance.now() };
      draw();
    },
    stop: () => logUpdate.done(),
  };
}

function bar({ done, total, startedMs }: { done: number; total: number; startedMs: number }): string {
  const share = total === 0 ? 1 : done / total;
  const drawn = cliProgress.Format.BarFormat(share, {
    barsize: barWidth,
    barCompleteString: "█".repeat(barWidth),
    barIncompleteString: "░".repeat(barWidth),
    barGlue: "",
  });
  const rate = done / Math.max(0.001, (performance.now() - startedMs) / 1000);
  return `${drawn} ${Math.floor(share * 100)}%  ${done}/${total} executions, ${Math.round(rate)}/s`;
}

/** Where there is no terminal: a line at the start, at each tenth and at the end. */
function plainScreen(io: Io): DevScreen {
  let shownTenth = -1;
  return {
    line: (text) => io.out(text),
    status: () => {},
    progress(done, total) {
      const tenth = total === 0 ? 10 : Math.floor((done / total) * 10);
      if (tenth === shownTenth) return;
      shownTenth = tenth;
      io.out(`  ${done} of ${total} executions`);
    },
    stop: () => {},
  };
}
