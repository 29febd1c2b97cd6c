/**
 * What runs in the worker of a user's function: JavaScript as text, so that it needs no file beside it. The module comes as
 * text, too: what runs is what was hashed (X9), whatever has become of its file.
 */
export const workerSource: string = `
const { parentPort, workerData } = require("node:worker_threads");
const url = "data:text/javascript;base64," + Buffer.from(workerData.source).toString("base64");
const loading = import(url);
loading.catch(() => {});
parentPort.on("message", async ({ answers }) => {
  try {
    const { default: call } = await loading;
    if (typeof call !== "function") throw new Error("its default export is no function");
    const json = JSON.stringify(await call(answers));
    if (json === undefined) throw new Error("it returned nothing that JSON can hold");
    parentPort.postMessage({ json });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    parentPort.postMessage({ error: message.slice(0, 1000) });
  }
});
`;
