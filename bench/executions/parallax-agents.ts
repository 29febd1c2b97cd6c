// The agents of one run: they answer at once.

import { ParallaxAgent } from "@parallax/agent";

const [url = "", count = "1"] = process.argv.slice(2);
const agents = Array.from({ length: Number(count) }, (_, index) => {
  const agent = new ParallaxAgent({
    name: `agent-${index}`,
    controlPlaneUrl: url,
    maxConcurrentTasks: 1000,
    reconnect: { enabled: true, maxRetries: Number.POSITIVE_INFINITY },
  });
  agent.onTask("work", async (task) => ({ result: task.input, confidence: 1 }));
  return agent;
});
await Promise.all(agents.map((agent) => agent.start()));
console.log("connected");
