import type { RegisterCommand } from "../context.ts";
import { readLimit } from "./executions.ts";

interface ListOptions {
  readonly capability?: string;
  readonly node?: string;
  readonly limit: number;
}

/** `parallax agents` */
export const registerAgents: RegisterCommand = (parent, context) => {
  parent
    .command("agents")
    .description("list the agents and the nodes that hold their sockets")
    .option("--capability <name>", "only those that have it")
    .option("--node <id>", "only those of this node")
    .option("--limit <count>", "how many at most", readLimit, 100)
    .addHelpText("after", "\nExample:\n  $ parallax agents --capability classification")
    .action(async (options: ListOptions) => {
      const client = await context.client();
      const page = await client.agents.list(options);
      const { renderTable, shortTime } = await import("../render/table.ts");
      context.print(page, ({ agents }) =>
        agents.length === 0
          ? "No agents"
          : renderTable(
              ["Id", "Name", "Status", "Node", "Tasks", "Capabilities", "Connected"],
              agents.map((agent) => [
                ...[agent.id, agent.name, agent.status, agent.nodeId],
                `${agent.tasks.length}/${agent.maxConcurrentTasks}`,
                agent.capabilities.join(","),
                shortTime(agent.connectedAt),
              ]),
              context.io.columns,
            ),
      );
    });
};
