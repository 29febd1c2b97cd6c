import { ParallaxAgent } from "@parallax/agent";
import { createClient } from "@parallax/client";

/** Connects an agent, runs one execution of a pattern that asks for `work`, and disconnects the agent. */
export async function runAgentOnce(url: string, pattern: string): Promise<void> {
  const agent = new ParallaxAgent({ controlPlaneUrl: url, name: "once" });
  agent.onTask("work", async ({ input }) => ({ result: input, confidence: 1 }));
  await agent.start();
  await createClient({ url }).executions.run({ pattern, input: "once" });
  await agent.stop();
}
