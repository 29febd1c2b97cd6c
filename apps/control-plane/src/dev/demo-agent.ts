import { ParallaxAgent } from "@parallax/agent";

/** An agent for a cluster without a workload: answers with its input. */
const controlPlaneUrl = (process.env.PARALLAX_URL ?? "http://localhost:8080").split(",");
const agent = new ParallaxAgent({
  name: process.env.PARALLAX_AGENT_NAME ?? "echo",
  capabilities: ["echo"],
  controlPlaneUrl,
});
agent.onTask("echo", async (task) => ({ result: task.input, confidence: 1 }));
await agent.start();
