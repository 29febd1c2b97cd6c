import { ParallaxError } from "@parallax/core";
import type { RegisterCommand } from "../context.ts";

const descriptions = {
  start: "run a node",
  dev: "run a local cluster, with agents",
  config: "check and show the configuration of a node",
} as const;

/** `start`, `dev` and `config` come with the control plane: without it, they say how to get it. */
export const registerElsewhere: RegisterCommand = (parent) => {
  for (const [name, description] of Object.entries(descriptions)) {
    parent
      .command(name)
      .description(`${description} (comes with @parallax/control-plane)`)
      .helpOption(false)
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() => {
        const message = `running parallax ${name}: it comes with the control plane; install it with npm install --global @parallax/control-plane`;
        throw new ParallaxError("not_installed", message);
      });
  }
};
