import { openLogs, startNode } from "./nodes.ts";
import { tour } from "./tour.ts";

const logs = openLogs(process.env.REDIS_URL);
const orders: number[] = [];
const first = await startNode("node-0", logs.connect(), orders);
const second = await startNode("node-1", logs.connect(), orders);

const seen = await tour(first, second, console.log);
console.log(`the reader saw ${seen.length} events, and no gap`);

await second.kill();
logs.close();
