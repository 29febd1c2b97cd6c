/**
 * Runs `work` one at a time: a call during a run makes one more run follow, and resolves with that one, so that whoever calls
 * has a run that began after its call.
 */
export function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let again = false;

  async function runs(): Promise<void> {
    while (again) {
      again = false;
      await work();
    }
  }

  return () => {
    again = true;
    running ??= runs().finally(() => {
      running = undefined;
    });
    return running;
  };
}
