import type { Command, Option } from 'commander';

export interface Candidate {
  value: string;
  description: string;
}

/**
 * What can stand in place of the last word, by the commands themselves. None: a file's name, as far
 * as the shell is concerned.
 */
export function candidates(program: Command, words: readonly string[]): Candidate[] {
  // bash takes --phase=sent for three words.
  const line = words.filter((word) => word !== '=');
  const current = words.at(-1) === '=' ? '' : (line.pop() ?? '');
  const { command, positionals, awaiting } = walk(program, line);
  const [, name, value] = /^(--[^=]+)=(.*)$/s.exec(current) ?? [];
  if (name !== undefined) {
    const choices = valuesOf(findOption(command, name));
    return choices
      .map((each) => ({ ...each, value: `${name}=${each.value}` }))
      .filter(fits(current));
  }
  if (awaiting) return valuesOf(awaiting).filter(fits(current));
  if (current.startsWith('-')) return optionsOf(command).filter(fits(current));
  const argument = command.registeredArguments[positionals];
  return [...commandsOf(command), ...choice(argument?.argChoices)].filter(fits(current));

  function fits(start: string): (each: Candidate) => boolean {
    return (each) => each.value.startsWith(start) && value !== each.value;
  }
}

interface Place {
  command: Command;
  /** Arguments of the command so far. */
  positionals: number;
  /** The option whose value comes next. */
  awaiting: Option | undefined;
}

function walk(program: Command, words: readonly string[]): Place {
  const place: Place = { command: program, positionals: 0, awaiting: undefined };
  for (const word of words) {
    if (place.awaiting) {
      place.awaiting = undefined;
      continue;
    }
    const option = word.startsWith('-') ? findOption(place.command, word) : undefined;
    if (option?.required) place.awaiting = option;
    if (word.startsWith('-')) continue;
    const next = place.command.commands.find((each) => each.name() === word);
    if (next) Object.assign(place, { command: next, positionals: 0 });
    else place.positionals++;
  }
  return place;
}

function findOption(command: Command, name: string): Option | undefined {
  return command.options.find(({ long, short }) => name === long || name === short);
}

function optionsOf(command: Command): Candidate[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map(({ long, short, description }) => ({ value: long ?? short ?? '', description }));
}

function commandsOf(command: Command): Candidate[] {
  if (command.commands.length === 0) return [];
  return command
    .createHelp()
    .visibleCommands(command)
    .map((each) => ({ value: each.name(), description: each.description() }));
}

function valuesOf(option: Option | undefined): Candidate[] {
  return choice(option?.argChoices);
}

function choice(choices: readonly string[] | undefined): Candidate[] {
  return (choices ?? []).map((value) => ({ value, description: '' }));
}
