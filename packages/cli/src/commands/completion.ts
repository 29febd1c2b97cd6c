import { Argument, type Command, type Option } from "commander";
import type { RegisterCommand } from "../context.ts";

const shells = ["bash", "zsh", "fish"] as const;

/** `parallax completion`, and the hidden command that its scripts ask at each press of the key. */
export const registerCompletion: RegisterCommand = (parent, { io }) => {
  parent
    .command("completion")
    .description("print a script that completes commands and options in a shell")
    .addArgument(new Argument("<shell>", "your shell").choices(shells))
    .addHelpText("after", "\nExample:\n  $ parallax completion bash > /etc/bash_completion.d/parallax")
    .action((shell: (typeof shells)[number]) => io.out(scripts[shell]));
  parent
    .command("complete [words...]", { hidden: true })
    .description("print what the last of these words may become, one a line")
    .addHelpText("after", "\nExample:\n  $ parallax complete -- ha st")
    .action((words: readonly string[]) => {
      for (const candidate of candidates(parent, words)) io.out(candidate);
    });
};

/** Each asks the program itself, so that it never tells of commands which are not there. */
const scripts: Readonly<Record<(typeof shells)[number], string>> = {
  bash: `_parallax() {
  local IFS=$'\\n'
  COMPREPLY=($(parallax complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _parallax parallax`,
  zsh: `#compdef parallax
_parallax() {
  local -a found
  found=("\${(@f)$(parallax complete -- "\${words[@]:1:$((CURRENT - 1))}" 2>/dev/null)}")
  compadd -a found
}
compdef _parallax parallax`,
  fish: `complete -c parallax -f -a '(parallax complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'`,
};

/** What the last word may become: a command, an option, or a value that an option or an argument takes. */
function candidates(program: Command, words: readonly string[]): string[] {
  const started = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  let command = program;
  let wants: Option | undefined;
  for (const word of before) {
    const option = wants ? undefined : optionOf(command, word);
    const next = wants || option ? undefined : command.commands.find((each) => each.name() === word);
    if (next) command = next;
    wants = option && (option.required || option.optional) && !word.includes("=") ? option : undefined;
  }
  const found = wants ? (wants.argChoices ?? []) : namesOf(command, started);
  return found.filter((candidate) => candidate.startsWith(started));
}

function namesOf(command: Command, started: string): readonly string[] {
  if (started.startsWith("-")) return optionsOf(command).flatMap(({ long }) => long ?? []);
  const commands = command.createHelp().visibleCommands(command);
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  return [...commands.map((each) => each.name()), ...choices];
}

/** Those of the command and of all above it. */
function optionsOf(command: Command): Option[] {
  const own = command.createHelp().visibleOptions(command);
  return command.parent ? [...own, ...optionsOf(command.parent)] : own;
}

function optionOf(command: Command, word: string): Option | undefined {
  const [name] = word.split("=");
  return optionsOf(command).find(({ short, long }) => name === short || name === long);
}
