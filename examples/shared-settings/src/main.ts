import { openNodes } from "./nodes.ts";
import { tour } from "./tour.ts";

const nodes = openNodes(process.env.REDIS_URL);
await tour(nodes.connect, console.log);
nodes.close();
