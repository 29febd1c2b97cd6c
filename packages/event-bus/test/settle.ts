/** Lets everything happen that needs no time: a macrotask runs only once no microtask is left. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
