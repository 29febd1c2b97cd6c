import { openShared } from "./nodes.ts";
import { tour } from "./tour.ts";

const shared = openShared(process.env.REDIS_URL);
const ran = await tour(shared, console.log);
const twice = ran.length - new Set(ran.map(({ slot }) => slot)).size;
console.log(`${ran.length} reports, ${twice} of them twice`);
shared.close();
